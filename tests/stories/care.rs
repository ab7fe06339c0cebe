//! Care: what is known, noted and to be done about a customer, on their page and in the API; and who sees it.

mod follow_ups;
mod notes;
mod own_fields;
mod phone;
mod standing;
mod views;
