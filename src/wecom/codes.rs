//! What each of the platform's refusals means, and what to do about it. Meanings: path/90313 (read 2026-11-22).

use Remedy::{Again, Bug, Drop, Refresh, SlowDown, TellAdmin};

/// What to do about a refusal. Business outcomes count as final for their item; their codes say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Another token, and the call once more.
    Refresh,
    /// The call again, after this many milliseconds.
    Again(i64),
    /// Fewer calls: the next one after this many milliseconds.
    SlowDown(i64),
    /// Nothing: final for this item, go on with the next.
    Drop,
    /// Configuration or permission: only an administrator can mend it.
    TellAdmin,
    /// Our request is wrong.
    Bug,
}

/// By code, ascending.
const TABLE: &[(i64, Remedy, &str)] = &[
    (-1, Again(2_000), "the platform is busy"),
    (6000, Again(500), "somebody else is writing the same object"),
    (
        40001,
        Refresh,
        "the secret is wrong or was reset, or the token is of another kind",
    ),
    (40003, Drop, "unknown or invisible member"),
    (40004, Bug, "wrong media type"),
    (40005, Bug, "wrong file type"),
    (40006, Bug, "wrong file size"),
    (
        40007,
        Drop,
        "the media is older than 3 days, of another corp or of the wrong kind",
    ),
    (40008, Bug, "wrong message type"),
    (40013, TellAdmin, "wrong corpid"),
    (40014, Refresh, "the token is not known any more"),
    (
        40029,
        Drop,
        "the login code was used, is too old or of another app",
    ),
    (40031, Bug, "wrong list of members"),
    (40032, Bug, "too long a list of members"),
    (40033, Bug, "characters the platform does not take"),
    (40035, Bug, "wrong parameter"),
    (40050, Drop, "unknown group, or its owner is invisible"),
    (40056, TellAdmin, "wrong agentid"),
    (40058, Bug, "a field is missing, too long or of the wrong type"),
    (40063, Bug, "a required field is empty"),
    (40066, Drop, "unknown department"),
    (40068, Drop, "unknown tag, or one that another app made"),
    (40071, Drop, "a tag of this name is there already"),
    (40072, Bug, "wrong length of a directory tag's name"),
    (40091, TellAdmin, "wrong secret"),
    (40093, Bug, "wrong signature of a page"),
    (40096, Drop, "a customer's id of another subject or provider"),
    (40097, Drop, "the member has not left: hand over on the job"),
    (40098, TellAdmin, "a member has not proven a real name"),
    (40099, Drop, "the member has as many customers as can be"),
    (40100, Drop, "the customer is in a handover already"),
    (40123, Bug, "wrong image format"),
    (40126, TellAdmin, "the corp has as many tags as can be"),
    (40128, Drop, "the customer was handed over too often"),
    (40129, Again(600_000), "the customer is being handed over"),
    (40130, Bug, "a handover from a member to the same member"),
    (40131, Drop, "the member does not follow this customer"),
    (40143, TellAdmin, "the member is banned"),
    (40201, TellAdmin, "refused as spam"),
    (40204, TellAdmin, "refused as spam"),
    (40205, TellAdmin, "the member has not signed in for a year"),
    (40206, Bug, "too large a body"),
    (41001, Bug, "no token"),
    (41002, Bug, "no corpid"),
    (41004, Bug, "no secret"),
    (41006, Bug, "no media id"),
    (41008, Bug, "no code"),
    (41009, Bug, "no member"),
    (41010, Bug, "no URL"),
    (41011, Bug, "no agentid"),
    (41035, Bug, "no customer"),
    (41037, Bug, "contact way without a type"),
    (41038, Bug, "contact way without a scene"),
    (41039, Bug, "contact way of a wrong type"),
    (41040, Bug, "contact way of a wrong scene"),
    (41041, Bug, "contact way with more than 100 members"),
    (41042, Bug, "contact way of a wrong style"),
    (41043, Drop, "no contact way"),
    (41044, Drop, "the contact way was deleted"),
    (41045, TellAdmin, "the corp has as many contact ways as can be"),
    (41046, Drop, "no broadcast"),
    (41047, Drop, "unknown broadcast"),
    (41048, Drop, "nobody left to send to"),
    (41049, Drop, "no welcome code"),
    (41050, Drop, "the welcome code is unknown or older than 20 s"),
    (41051, Drop, "they are chatting already, or were welcomed"),
    (41052, Bug, "wrong time to send"),
    (41053, Drop, "the customer has not agreed to the chat archive"),
    (41054, TellAdmin, "a member is not activated"),
    (41055, TellAdmin, "the corp has as many group welcomes as can be"),
    (41056, Drop, "a customer of the wrong kind"),
    (41057, TellAdmin, "no WeChat developer account is bound"),
    (41058, TellAdmin, "the template belongs to another app"),
    (41059, Drop, "no moment"),
    (41060, Drop, "unknown moment"),
    (41061, Drop, "that member has not posted the moment"),
    (41062, Again(60_000), "the member has not posted the moment yet"),
    (41063, Again(5_000), "the broadcast is still being dispatched"),
    (41064, Bug, "too many attachments"),
    (41065, Bug, "an attachment of a kind that is not allowed"),
    (41067, Bug, "wrong kind of moment"),
    (41072, Bug, "the attachment was uploaded for something else"),
    (41073, Bug, "the product's description is not allowed"),
    (41074, Drop, "the product was deleted"),
    (41075, Drop, "unknown product"),
    (41078, Again(60_000), "too many moments are being made"),
    (41079, Again(5_000), "the moment is still being dispatched"),
    (41080, Bug, "wrong size of an attachment"),
    (41081, Bug, "wrong resolution of an attachment"),
    (41082, Bug, "wrong duration of an attachment"),
    (41085, Bug, "wrong product number"),
    (41086, Bug, "wrong product price"),
    (41087, Bug, "wrong product description"),
    (41088, Bug, "no attachments"),
    (41089, Bug, "a moment with neither text nor attachments"),
    (41090, Bug, "wrong video format"),
    (41091, Bug, "a join way to more than 5 groups"),
    (41093, Drop, "the broadcast was cancelled before"),
    (41094, Drop, "reminded 3 times in 24 h"),
    (
        41095,
        TellAdmin,
        "the corp has as many acquisition links as can be",
    ),
    (41096, Again(1_000), "another app is sending the welcome"),
    (42001, Refresh, "the token is past its life"),
    (42003, Drop, "the login code is too old"),
    (42012, Again(1_000), "the page's ticket is not available"),
    (42022, Drop, "the code was used"),
    (42052, Drop, "the message is too old to recall"),
    (43004, Drop, "that member cannot be reached by the plug-in"),
    (43009, TellAdmin, "the corp is not verified"),
    (44001, Bug, "empty media"),
    (44004, Bug, "empty text"),
    (45001, Bug, "too large media"),
    (45002, Bug, "too long a text"),
    (45009, SlowDown(60_000), "called too often"),
    (45029, Bug, "the answer would be too large: ask for less"),
    (45033, SlowDown(500), "too many calls at once"),
    (46004, Drop, "the member does not exist"),
    (48001, TellAdmin, "the app may not use this API"),
    (48002, TellAdmin, "the app may not use this API"),
    (48004, TellAdmin, "the authorisation is not valid any more"),
    (48005, TellAdmin, "the API is gone"),
    (48006, TellAdmin, "the permission was taken back"),
    (
        48009,
        TellAdmin,
        "the contact-sync secret may not read this: use the app's own",
    ),
    (
        50001,
        TellAdmin,
        "the address to return to is not on a trusted domain",
    ),
    (50002, TellAdmin, "a member out of the app's range"),
    (50003, TellAdmin, "the app is disabled"),
    (50100, Again(1_000), "the cursor is too old: from the first page"),
    (60003, Drop, "unknown department"),
    (60011, TellAdmin, "out of the app's visible range"),
    (
        60020,
        TellAdmin,
        "our address is not on the app's list of trusted IPs",
    ),
    (60021, TellAdmin, "a member out of the app's range"),
    (60031, TellAdmin, "the app may not use this API"),
    (60111, Drop, "unknown member"),
    (60123, Drop, "wrong department"),
    (60136, Drop, "no such record"),
    (60140, Drop, "the card was answered"),
    (81013, Drop, "nobody of the receivers can be reached"),
    (81017, Bug, "asks for more than one call may"),
    (82001, Bug, "no receivers"),
    (84014, Drop, "the user ticket is too old"),
    (84015, Drop, "unknown user ticket"),
    (84061, Drop, "not a customer (any more), or not readable yet"),
    (84071, Drop, "wrong authorisation code"),
    (
        84074,
        TellAdmin,
        "the member may not have customers, or the app may not see them",
    ),
    (84083, TellAdmin, "not a service member"),
    (84084, Drop, "the member does not follow this customer"),
    (90206, TellAdmin, "the mini-program is not linked"),
    (90207, TellAdmin, "the mini-program's appid does not match"),
    (90208, TellAdmin, "the mini-program's appid does not match"),
    (90500, Drop, "the group's owner has not left"),
    (90501, Drop, "not a customer group"),
    (90502, Drop, "the group's owner has left"),
    (90503, Drop, "the group is full: the client has to confirm"),
    (90504, Drop, "the new owner is the old one"),
    (90507, Drop, "the group is in a handover"),
    (90508, Drop, "the group was handed over"),
    (90509, Drop, "not a customer group of the platform"),
    (90510, TellAdmin, "the corp had no active member for a year"),
    (90511, Drop, "wrong opengid"),
    (301002, TellAdmin, "the app may not act for this agentid"),
    (301007, TellAdmin, "the corp is disbanded or frozen"),
    (600018, Bug, "wrong times"),
];

/// What to do about a code; `None` for one that is not in the table: the platform adds some over time.
pub fn remedy(code: i64) -> Option<Remedy> {
    row(code).map(|(_, remedy, _)| *remedy)
}

/// What a code means, in a few words.
pub fn meaning(code: i64) -> Option<&'static str> {
    row(code).map(|(_, _, meaning)| *meaning)
}

fn row(code: i64) -> Option<&'static (i64, Remedy, &'static str)> {
    let found = TABLE.binary_search_by_key(&code, |(code, _, _)| *code);
    found.ok().map(|at| &TABLE[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The platform's table with the action of each code: T refresh, R again, W wait for the window, D drop, S a
    /// business outcome, B our bug, A for the administrator. A range is of consecutive codes.
    const ACTIONS: &str = "
        T 40001 40014 42001
        R -1 6000 40129 41062 41063 41078 41079 41096 42012 50100
        W 45009 45033
        D 40003 40007 40029 40050 40066 40068 40071 40096 40131 41043 41044 41046 41047 41049..41051 41053 41056
        D 41059..41061 41074 41075 42003 42022 43004 46004 60003 60111 60123 60136 60140 84014 84015 84071 84084
        D 90501 90509 90511
        S 40097 40099 40100 40128 41048 41093 41094 42052 81013 84061 90500 90502..90504 90507 90508
        B 40004..40006 40008 40031..40033 40035 40058 40063 40072 40093 40123 40130 40206 41001 41002 41004 41006
        B 41008..41011 41035 41037..41042 41052 41064 41065 41067 41072 41073 41080..41082 41085..41091 44001 44004
        B 45001 45002 45029 81017 82001 600018
        A 40013 40056 40091 40098 40126 40143 40201 40204 40205 41045 41054 41055 41057 41058 41095 43009 48001 48002
        A 48004..48006 48009 50001..50003 60011 60020 60021 60031 84074 84083 90206..90208 90510 301002 301007
    ";

    fn codes(range: &str) -> std::ops::RangeInclusive<i64> {
        let (first, last) = range.split_once("..").unwrap_or((range, range));
        first.parse().unwrap()..=last.parse().unwrap()
    }

    #[test]
    fn every_code_of_the_platforms_table_has_its_remedy() {
        let mut listed = Vec::new();
        for line in ACTIONS.trim().lines() {
            let (action, ranges) = line.trim().split_once(' ').unwrap();
            for code in ranges.split(' ').flat_map(codes) {
                let remedy = remedy(code);
                let is_right = match action {
                    "T" => remedy == Some(Refresh),
                    "R" => matches!(remedy, Some(Again(_))),
                    "W" => matches!(remedy, Some(SlowDown(_))),
                    "D" | "S" => remedy == Some(Drop),
                    "B" => remedy == Some(Bug),
                    "A" => remedy == Some(TellAdmin),
                    other => panic!("no such action: {other}"),
                };
                assert!(is_right, "{code} is for {action}, not {remedy:?}");
                listed.push(code);
            }
        }
        listed.sort_unstable();
        let table: Vec<i64> = TABLE.iter().map(|(code, _, _)| *code).collect();
        assert_eq!(
            listed, table,
            "the table is in order and holds these codes and no others"
        );
        assert_eq!((remedy(123_456), meaning(123_456)), (None, None));
    }
}
