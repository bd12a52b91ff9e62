//! The modes of a terminal as SSH names them (RFC 4254, section 8), so that the other side's terminal behaves like this one.

use rustix::termios::{
    ControlModes, InputModes, LocalModes, OutputModes, SpecialCodeIndex as Code, Termios,
};

/// The value of a character that is switched off here.
const OFF: u8 = 0;
/// The same on the wire.
const OFF_THERE: u32 = 255;

/// The modes of a terminal: opcodes and values.
pub(super) fn of(termios: &Termios) -> Vec<(u8, u32)> {
    let mut modes = Vec::with_capacity(64);
    modes.extend(characters().iter().map(|(opcode, code)| {
        let value = termios.special_codes[*code];
        let value = if value == OFF {
            OFF_THERE
        } else {
            u32::from(value)
        };
        (*opcode, value)
    }));
    let input = termios.input_modes;
    let output = termios.output_modes;
    let local = termios.local_modes;
    let control = termios.control_modes;
    modes.extend(
        INPUT
            .iter()
            .map(|(op, mode)| (*op, input.contains(*mode).into())),
    );
    modes.extend(
        LOCAL
            .iter()
            .map(|(op, mode)| (*op, local.contains(*mode).into())),
    );
    modes.extend(
        OUTPUT
            .iter()
            .map(|(op, mode)| (*op, output.contains(*mode).into())),
    );
    modes.extend(
        CONTROL
            .iter()
            .map(|(op, mode)| (*op, control.contains(*mode).into())),
    );
    // Speeds, TTY_OP_ISPEED and TTY_OP_OSPEED.
    modes.push((128, termios.input_speed()));
    modes.push((129, termios.output_speed()));
    modes
}

fn characters() -> [(u8, Code); 14] {
    [
        (1, Code::VINTR),
        (2, Code::VQUIT),
        (3, Code::VERASE),
        (4, Code::VKILL),
        (5, Code::VEOF),
        (6, Code::VEOL),
        (7, Code::VEOL2),
        (8, Code::VSTART),
        (9, Code::VSTOP),
        (10, Code::VSUSP),
        (12, Code::VREPRINT),
        (13, Code::VWERASE),
        (14, Code::VLNEXT),
        (18, Code::VDISCARD),
    ]
}

const INPUT: &[(u8, InputModes)] = &[
    (30, InputModes::IGNPAR),
    (31, InputModes::PARMRK),
    (32, InputModes::INPCK),
    (33, InputModes::ISTRIP),
    (34, InputModes::INLCR),
    (35, InputModes::IGNCR),
    (36, InputModes::ICRNL),
    (38, InputModes::IXON),
    (39, InputModes::IXANY),
    (40, InputModes::IXOFF),
    (41, InputModes::IMAXBEL),
    (42, InputModes::IUTF8),
];

const LOCAL: &[(u8, LocalModes)] = &[
    (50, LocalModes::ISIG),
    (51, LocalModes::ICANON),
    (53, LocalModes::ECHO),
    (54, LocalModes::ECHOE),
    (55, LocalModes::ECHOK),
    (56, LocalModes::ECHONL),
    (57, LocalModes::NOFLSH),
    (58, LocalModes::TOSTOP),
    (59, LocalModes::IEXTEN),
    (60, LocalModes::ECHOCTL),
    (61, LocalModes::ECHOKE),
    (62, LocalModes::PENDIN),
];

const OUTPUT: &[(u8, OutputModes)] = &[
    (70, OutputModes::OPOST),
    (72, OutputModes::ONLCR),
    (73, OutputModes::OCRNL),
    (74, OutputModes::ONOCR),
    (75, OutputModes::ONLRET),
];

const CONTROL: &[(u8, ControlModes)] = &[
    (90, ControlModes::CS7),
    (91, ControlModes::CS8),
    (92, ControlModes::PARENB),
    (93, ControlModes::PARODD),
];
