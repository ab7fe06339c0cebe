//! Charts: pure functions from numbers to what a template draws as SVG.
//!
//! Numbers come in with their words already written, so a chart knows no language. Plots are `viewBox="0 0 100 100"`
//! and stretch; words are HTML beside them and never do. Nothing is placed by style: positions are SVG attributes.

mod bars;
mod heat;
mod kpi;
mod line;
mod scale;

pub use bars::{Funnel, FunnelStep, Part, Rank, RankRow, Stack, Why, WhyRow, share};
pub use heat::Heat;
pub use kpi::{Kpi, Kpis, Tone};
pub use line::{Columns, Line, Mark, Series, Spark};
pub use scale::{Axis, Interval};

/// Charts are markup of ours around escaped words: a page writes them as they are.
macro_rules! drawn {
    ($($chart:ty),*) => {$(
        impl askama::filters::HtmlSafe for $chart {}
    )*};
}

drawn!(
    Kpis, Line, Columns, Spark, Why, Funnel, Rank, Heat, Stack, Interval
);

/// A coordinate as written into an attribute: one decimal is finer than a pixel.
pub(crate) fn at(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded == 0.0 {
        "0".to_owned()
    } else {
        rounded.to_string()
    }
}
