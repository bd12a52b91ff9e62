//! Values must arrive as one literal argument, whatever quotes the author wrote: judged by the real shells.
