//! Refusals: an errcode and the words that go with it. Nobody should read the words, but people do.

/// An errcode with its words.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub code: i64,
    pub words: String,
}

impl Refusal {
    pub fn new(code: i64) -> Self {
        Self {
            code,
            words: words(code).to_owned(),
        }
    }

    pub fn said(code: i64, words: impl Into<String>) -> Self {
        Self {
            code,
            words: words.into(),
        }
    }

    /// 40058 naming the field.
    pub fn field(field: &str, what: &str) -> Self {
        Self::said(
            40058,
            format!("field `{field}` {what}. invalid Request Parameter"),
        )
    }
}

fn words(code: i64) -> &'static str {
    match code {
        -1 => "system busy",
        40001 => "invalid credential, access_token is invalid or not latest",
        40003 => "invalid userid",
        40007 => "invalid media_id",
        40013 => "invalid corpid",
        40014 => "invalid access_token",
        40029 => "invalid code",
        40050 => "invalid chatid",
        40066 => "invalid department",
        40068 => "invalid tagid",
        40071 => "tag name already existed",
        40096 => "invalid external userid",
        40097 => "handover user is not resigned",
        40098 => "user is not real-name verified",
        40126 => "corp tag count exceed limit",
        40128 => "customer transferred too often",
        40129 => "customer is being transferred",
        40130 => "handover and takeover user are the same",
        40143 => "user is banned",
        40205 => "user ticket expired",
        40131 => "handover user is not the customer's follower",
        41001 => "access_token missing",
        41002 => "corpid missing",
        41004 => "corpsecret missing",
        41037 => "contact way type missing",
        41038 => "contact way scene missing",
        41039 => "invalid contact way type",
        41040 => "invalid contact way scene",
        41041 => "contact way user count exceed limit",
        41042 => "invalid contact way style",
        41043 => "contact way config_id missing",
        41044 => "invalid contact way config_id",
        41045 => "contact way count exceed limit",
        41046 => "msgid missing",
        41047 => "invalid msgid",
        41048 => "no customer to send",
        41050 => "invalid welcome code or expired",
        41051 => "customer already chatting or welcome message already sent",
        41054 => "user not activated",
        41055 => "group welcome template count exceed limit",
        41058 => "template not editable by this app",
        41096 => "welcome message is being distributed",
        41060 => "invalid moment id",
        41061 => "moment not published by the member",
        41063 => "group msg is being dispatched",
        41064 => "attachments count exceed limit",
        41065 => "attachment type not allowed",
        41067 => "moment attachment type error",
        41073 => "product album description not allowed",
        41074 => "product album already deleted",
        41075 => "invalid product_id",
        41085 => "invalid product sn",
        41086 => "invalid product price",
        41087 => "invalid product description",
        41078 => "too many running moment jobs",
        41088 => "attachments empty",
        41089 => "text and attachments are both empty",
        41091 => "join way group count exceed limit",
        41093 => "group msg already cancelled",
        41094 => "remind over frequency limit",
        41095 => "acquisition link count exceed limit",
        42001 => "access_token expired",
        42052 => "msgid expired",
        43001 => "require GET method",
        43002 => "require POST method",
        45002 => "content size out of limit",
        45009 => "api freq out of limit",
        45033 => "api concurrent out of limit",
        48002 => "api forbidden",
        50003 => "app is disabled",
        50001 => "redirect_url unauthorized",
        50100 => "invalid cursor",
        60003 => "department not found",
        60011 => "no privilege to access/modify contact/party/agent",
        60020 => "not allow to access from your ip",
        60111 => "userid not found",
        81013 => "user & party & tag all invalid",
        81017 => "request count exceed limit",
        84014 => "user_ticket expired",
        84015 => "invalid user_ticket",
        84061 => "not external contact",
        84074 => "no permission to access external contact",
        84084 => "not follow user",
        90500 => "the owner of this chat is not resigned",
        90502 => "the owner of this chat is resigned",
        90504 => "new owner is the same as the old",
        90511 => "invalid opengid",
        600018 => "invalid start_time or end_time",
        301002 => "not allow operate another agent with this accesstoken",
        _ => "refused",
    }
}
