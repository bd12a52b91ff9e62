//! The machine against tables of events and against chance.
