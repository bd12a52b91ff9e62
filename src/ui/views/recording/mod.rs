//! The text of a recorded session.

mod draw;

use ratatui::layout::Rect;

use crate::model::Model;
use crate::ui::list::Scroll;
use crate::ui::paint::below;
use crate::ui::text;

/// What the view remembers.
#[derive(Debug, Default)]
pub(crate) struct RecordingPage {
    pub(crate) scroll: Scroll,
    lines: Vec<String>,
    area: Rect,
}

impl RecordingPage {
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
