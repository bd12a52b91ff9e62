//! The loop: events in, a pure update, effects out, and the runtime that alone holds handles.
