//! A recorded session: its text, or what its terminal showed while it is played.

mod draw;
mod picture;

pub use picture::reel_frame;

use ratatui::layout::Rect;

use crate::model::Model;
use crate::ui::list::{Moves, Scroll};
use crate::ui::paint::below;
use crate::ui::text;

/// What the view remembers.
#[derive(Debug, Default)]
pub(crate) struct RecordingPage {
    pub(crate) scroll: Scroll,
    /// The text is wanted even though the recording is played.
    pub(crate) text: bool,
    /// What was looked for last.
    pub(crate) wanted: Option<String>,
    lines: Vec<String>,
    area: Rect,
}

impl RecordingPage {
    pub(crate) fn opened(&mut self) {
        self.scroll.top();
        self.text = false;
    }

    /// Whether the picture is shown, and not the text.
    pub(crate) fn plays(&self, model: &Model, reference: &str) -> bool {
        let reel = model.reel.as_ref();
        !self.text && reel.is_some_and(|reel| reel.reference == reference)
    }

    pub(crate) fn layout(&mut self, model: &Model, reference: &str, area: Rect) {
        self.area = area;
        let text = model
            .recording
            .as_ref()
            .filter(|recording| recording.row.reference == reference)
            .map(|recording| recording.text.trim_end());
        let width = usize::from(area.width.saturating_sub(2));
        self.lines = text.map_or_else(Vec::new, |text| text::wrap(text, width));
        self.scroll.layout(self.lines.len(), below(area, 2).height);
    }
}
