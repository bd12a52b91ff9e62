//! Windows onto the app: the protocol, the app's side and the terminal's side.
