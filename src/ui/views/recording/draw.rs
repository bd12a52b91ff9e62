//! Draws the text of a recorded session.

use ratatui::layout::Position;

use super::{RecordingPage, picture};
use crate::ui::paint::{Painter, below};
use crate::ui::theme::Role;
use crate::ui::views::Cx;
use crate::ui::views::words::{age, placeholder};

impl RecordingPage {
    pub(crate) fn draw(
        &self,
        cx: Cx<'_>,
        reference: &str,
        painter: &mut Painter<'_>,
    ) -> Option<Position> {
        if let Some(reel) = cx.model.reel.as_ref()
            && self.plays(cx.model, reference)
        {
            return picture::draw(painter, self.area, reel);
        }
        self.draw_text(cx, reference, painter);
        None
    }

    fn draw_text(&self, cx: Cx<'_>, reference: &str, painter: &mut Painter<'_>) {
        let recording = cx.model.recording.as_ref();
        let Some(recording) = recording.filter(|recording| recording.row.reference == reference)
        else {
            placeholder(
                painter,
                self.area,
                &format!("Reading the recording of {reference}."),
            );
            return;
        };
        let row = &recording.row;
        let mut head = format!(
            "  {}  on {}, {} ago",
            row.reference,
            row.host,
            age(cx.model.now, row.opened)
        );
        if let Some(ticket) = &row.ticket {
            head = format!("{head}, for {ticket}");
        }
        if let Some(exit) = row.exit {
            head = format!("{head}, exit {exit}");
        }
        painter.put(self.area, 0, &head, Role::Dim);
        let area = below(self.area, 2);
        if self.lines.iter().all(|line| line.is_empty()) {
            placeholder(painter, area, "Nothing was written in this session.");
        }
        for (at, line) in (0..area.height).zip(self.lines.iter().skip(self.scroll.offset())) {
            painter.put_at(area, 2, at, line, Role::Fg);
        }
    }
}
