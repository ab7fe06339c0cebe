//! Conditions that grow with what is asked, and patterns for `like`.

use sea_orm::Value;

/// A `where` that grows: conditions joined by `and`, with their arguments numbered as they come.
///
/// ```text
/// let mut filter = Filter::new("f.corp_id", corp);
/// filter.and("f.store_id = {}", store);
/// let sql = format!("select … where {}", filter.sql());
/// ```
pub struct Filter {
    sql: String,
    /// Where the condition it started with ends.
    start: usize,
    pub args: Vec<Value>,
}

impl Filter {
    /// Starts with `column = value`: the corp, nearly always.
    pub fn new(column: &str, value: impl Into<Value>) -> Self {
        let sql = format!("{column} = $1");
        Self {
            start: sql.len(),
            sql,
            args: vec![value.into()],
        }
    }

    /// Adds a condition; `{}` in it stands for the value.
    pub fn and(&mut self, condition: &str, value: impl Into<Value>) -> &mut Self {
        let place = self.arg(value);
        self.and_sql(&condition.replace("{}", &place))
    }

    /// Adds a condition that holds no value, or whose places were made with [`Filter::arg`].
    pub fn and_sql(&mut self, condition: &str) -> &mut Self {
        self.sql.push_str(" and ");
        self.sql.push_str(condition);
        self
    }

    /// Adds a value and answers its place, `$7`.
    pub fn arg(&mut self, value: impl Into<Value>) -> String {
        self.args.push(value.into());
        format!("${}", self.args.len())
    }

    /// Forgets all conditions but the one it started with, for the next part of a union; arguments keep their places.
    pub fn begin_again(&mut self) {
        self.sql.truncate(self.start);
    }

    pub fn sql(&self) -> &str {
        &self.sql
    }
}

/// Escapes `%`, `_` and `\` for a `like … escape '\'` pattern.
pub fn like_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
