//! Seeing and touching: layout, drawing, keys, themes.
