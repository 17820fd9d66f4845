//! Where lists and exports go: to stdout, or to a file that is either whole or not there.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::args::ListFormat;
use super::error::CommandError;
use super::exit::Exit;
use super::printer::Printer;

/// Where data goes.
pub(super) struct Output<'a> {
    path: Option<&'a Path>,
    printer: Printer,
}

impl<'a> Output<'a> {
    /// A workbook goes to a file only: on a terminal it would be noise.
    pub fn new(path: Option<&'a Path>, format: ListFormat, printer: Printer) -> Result<Self, CommandError> {
        if path.is_none() && format == ListFormat::Xlsx {
            return Err(CommandError::new(Exit::Usage, "a workbook is not written to stdout")
                .hint("-o names the file that it is to be written to"));
        }
        Ok(Self { path, printer })
    }

    /// To this file.
    pub fn to(path: &'a Path, printer: Printer) -> Self {
        Self { path: Some(path), printer }
    }

    /// Writes it as it comes. A reader that has gone away is no error.
    pub fn write(self, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), Stopped>) -> Result<(), CommandError> {
        let written = match self.path {
            None => {
                let mut out = self.printer.stdout();
                write(&mut out).and_then(|()| Ok(out.flush()?))
            }
            Some(path) => whole(path, write),
        };
        let place = self.path.map_or_else(|| "to stdout".to_owned(), |path| path.display().to_string());
        match written {
            Ok(()) => Ok(()),
            Err(Stopped::Told(error)) => Err(error),
            Err(Stopped::Io(error)) if self.path.is_none() && error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(Stopped::Io(error)) => Err(CommandError::caused(Exit::Failed, format!("cannot write {place}"), &error)),
        }
    }
}

/// Why not all was written.
pub(super) enum Stopped {
    /// It cannot be written.
    Io(io::Error),
    /// There is nothing to write.
    Told(CommandError),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<CommandError> for Stopped {
    fn from(error: CommandError) -> Self {
        Self::Told(error)
    }
}

/// Beside its place first, so that no half of it is ever found there.
fn whole(path: &Path, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), Stopped>) -> Result<(), Stopped> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = File::create(&partial).map_err(Stopped::Io).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.into_inner().map_err(|error| error.into_error())?.sync_all()?;
        Ok(std::fs::rename(&partial, path)?)
    });
    if written.is_err() {
        // What cannot be removed was never made, or is not ours.
        let _ = std::fs::remove_file(&partial);
    }
    written
}
