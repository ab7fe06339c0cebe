//! What an error of one pair means: that this person is refused, or that nobody can be marked now.

use crate::error::{Advice, Error, PlatformFault, Said, said};

/// The associate does not follow the contact. path/90313 (read 2026-11-22).
const NOT_FOLLOWED: [i64; 2] = [84061, 84084];
/// The tag is gone there, so everybody would be refused.
const NO_TAG: i64 = 40068;
/// Of what only an administrator can mend, what concerns one member: others can be marked.
const ABOUT_A_MEMBER: [i64; 8] = [40098, 40143, 40205, 41054, 50002, 60011, 60021, 84074];

/// What to do after an error.
pub(super) enum Verdict {
    /// This person is refused, the others go on.
    Refused(Said),
    /// Nobody can be marked until something changes: it pauses and says so.
    Pause(Said),
    /// It cannot be done any more.
    Fail(Said),
    /// It is tried again.
    Again,
}

pub(super) fn verdict(error: &Error) -> Verdict {
    let Error::Platform(fault) = error else {
        return Verdict::Again;
    };
    match (fault.advice, fault.code) {
        (Advice::Retry { .. } | Advice::Unknown, _) => Verdict::Again,
        (_, Some(NO_TAG)) => Verdict::Fail(tag_gone()),
        (Advice::Drop, Some(code)) if NOT_FOLLOWED.contains(&code) => Verdict::Refused(not_followed()),
        (Advice::TellAdmin, Some(code)) if ABOUT_A_MEMBER.contains(&code) => Verdict::Refused(said!(
            "refused-mark-member",
            "the platform does not let us mark the contacts of this associate ({code})",
            code = code.to_string()
        )),
        (Advice::Drop, _) => Verdict::Refused(said!(
            "refused-mark-platform",
            "the platform refused with {code}",
            code = code_of(fault)
        )),
        (Advice::TellAdmin | Advice::Bug, _) => Verdict::Pause(said!(
            "refused-mark-permission",
            "the platform lets nobody be marked ({code}); mend it, then go on",
            code = code_of(fault)
        )),
    }
}

fn code_of(fault: &PlatformFault) -> String {
    fault.code.map(|code| code.to_string()).unwrap_or_default()
}

/// Nobody has followed them since they were frozen, as far as the asker sees.
pub(super) fn nobody_follows() -> Said {
    said!(
        "refused-mark-nobody-follows",
        "nobody in reach follows this contact any more"
    )
}

pub(super) fn not_followed() -> Said {
    said!(
        "refused-mark-not-followed",
        "the platform says that the associate does not follow this contact any more"
    )
}

pub(super) fn tag_gone() -> Said {
    said!("refused-mark-tag-gone", "one of its tags was deleted meanwhile")
}

pub(super) fn silent() -> Said {
    said!(
        "refused-mark-silent",
        "the platform does not answer; go on when it does"
    )
}

pub(super) fn asker_sees_less() -> Said {
    said!(
        "refused-mark-asker",
        "whoever asked for it may not see these contacts any more; ask for it anew"
    )
}

pub(super) fn not_all_merged() -> Said {
    said!(
        "refused-merge-left",
        "some who carry the tag were refused, so it was not deleted; look at them, then delete it"
    )
}

pub(super) fn not_deleted(why: &Error) -> Said {
    said!(
        "refused-merge-delete",
        "everybody has the other tag; the platform did not delete the old one: {why}",
        why = why.to_string()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: i64, advice: Advice) -> Error {
        Error::Platform(PlatformFault {
            code: Some(code),
            message: String::new(),
            advice,
        })
    }

    #[test]
    fn what_concerns_one_person_refuses_only_them() {
        let word = |error: &Error| match verdict(error) {
            Verdict::Refused(said) => said.key().unwrap_or_default(),
            Verdict::Pause(_) => "pause",
            Verdict::Fail(_) => "fail",
            Verdict::Again => "again",
        };
        for (code, advice, expected) in [
            (84061, Advice::Drop, "refused-mark-not-followed"),
            (84084, Advice::Drop, "refused-mark-not-followed"),
            (84074, Advice::TellAdmin, "refused-mark-member"),
            (40096, Advice::Drop, "refused-mark-platform"),
            (40068, Advice::Drop, "fail"),
            (48002, Advice::TellAdmin, "pause"),
            (40058, Advice::Bug, "pause"),
            (45009, Advice::Retry { after_ms: 1 }, "again"),
            (-1, Advice::Unknown, "again"),
        ] {
            assert_eq!(word(&fault(code, advice)), expected, "{code}");
        }
        assert_eq!(word(&Error::NotFound), "again");
    }
}
