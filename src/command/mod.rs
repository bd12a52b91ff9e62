//! The verbs: everything a user may ask for, named once. Pure.
