//! How a refund is shared over the parts of an order's credit. Pure.

use crate::money::Fen;

/// A line of a refund: what came back, and the credit parts its article was sold under, each with what was paid.
#[derive(Debug, Clone)]
pub(super) struct ReturnedLine {
    pub refund: Fen,
    pub sold: Vec<(usize, i64)>,
}

/// Shares that add up to the refund and take from no part more than is left in it. Lines go to the parts their
/// article was sold under; what is not told by line, or is more than those parts hold, goes pro rata to what is left.
/// `refund` must not exceed the sum of `left`.
pub(super) fn share(refund: Fen, lines: &[ReturnedLine], left: &[Fen]) -> Vec<Fen> {
    let mut shares = vec![Fen::ZERO; left.len()];
    let mut open = refund;
    for line in lines {
        let weights: Vec<i64> = line.sold.iter().map(|(_, paid)| *paid).collect();
        let wanted = line.refund.min(open).split(&weights);
        for ((part, _), wanted) in line.sold.iter().zip(wanted) {
            let taken = wanted.min(left[*part] - shares[*part]);
            shares[*part] += taken;
            open -= taken;
        }
    }
    let still: Vec<(usize, i64)> = (0..left.len())
        .map(|part| (part, (left[part] - shares[part]).0))
        .filter(|(_, left)| *left > 0)
        .collect();
    let weights: Vec<i64> = still.iter().map(|(_, left)| *left).collect();
    for ((part, _), taken) in still.iter().zip(open.split(&weights)) {
        shares[*part] += taken;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_returned_article_takes_from_whoever_sold_it() {
        let line = |refund, part, paid| ReturnedLine {
            refund: Fen(refund),
            sold: vec![(part, paid)],
        };
        let cases = [
            (100, vec![], vec![300, 100], vec![75, 25]),
            (100, vec![line(100, 1, 100)], vec![300, 100], vec![0, 100]),
            (150, vec![line(150, 1, 100)], vec![300, 100], vec![50, 100]),
            (1, vec![], vec![0, 1, 1], vec![0, 1, 0]),
            (5, vec![], vec![0, 3, 3], vec![0, 3, 2]),
            (0, vec![], vec![5], vec![0]),
        ];
        for (refund, lines, left, expected) in cases {
            let left: Vec<Fen> = left.into_iter().map(Fen).collect();
            let shares: Vec<i64> = share(Fen(refund), &lines, &left)
                .iter()
                .map(|fen| fen.0)
                .collect();
            assert_eq!(shares, expected, "{refund} of {left:?}");
        }
    }

    proptest! {
        #[test]
        fn shares_add_up_and_overdraw_nothing(
            left in proptest::collection::vec(0i64..1_000, 1..6),
            portion in 0.0f64..=1.0,
            lines in proptest::collection::vec((0i64..500, 0usize..6, 0i64..500), 0..4),
        ) {
            let total: i64 = left.iter().sum();
            let refund = Fen((total as f64 * portion) as i64);
            let count = left.len();
            let lines: Vec<ReturnedLine> = lines
                .into_iter()
                .map(|(refund, part, paid)| ReturnedLine { refund: Fen(refund), sold: vec![(part % count, paid)] })
                .collect();
            let left: Vec<Fen> = left.into_iter().map(Fen).collect();
            let shares = share(refund, &lines, &left);
            prop_assert_eq!(shares.iter().copied().sum::<Fen>(), refund);
            for (share, left) in shares.iter().zip(&left) {
                prop_assert!(*share >= Fen::ZERO && share <= left);
            }
        }
    }
}
