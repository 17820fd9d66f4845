//! Where lists and exports go: to stdout, or to a file that is either whole or not there.

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::Path;

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

/// Beside its place first, under a name that nobody can foresee, so that no half of it is ever found there. What is there
/// and is no file of its own is written to as it is: devices, pipes, and links to what does not exist yet.
pub(super) fn whole<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<T, E>,
) -> Result<T, E> {
    let there = match std::fs::metadata(path) {
        Ok(there) if there.is_file() && !path.starts_with("/dev") => Some(there),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => None,
        _ => {
            let mut out = BufWriter::new(File::options().append(true).create(true).open(path)?);
            let written = write(&mut out)?;
            out.flush()?;
            return Ok(written);
        }
    };
    let place = if there.is_some() { path.canonicalize()? } else { path.to_owned() };
    let partial = place.with_file_name(format!(".switchback-{}", crate::env::random_hex()?));
    // Nobody reads what nobody could read before.
    let mode = if there.is_some() { 0o600 } else { 0o666 };
    let file = File::options().write(true).create_new(true).mode(mode).open(&partial)?;
    let written = fill(file, there.as_ref(), write).and_then(|written| {
        std::fs::rename(&partial, &place)?;
        Ok(written)
    });
    if written.is_err() {
        // It is ours; what cannot be removed is told by the error.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

fn fill<T, E: From<io::Error>>(
    file: File,
    there: Option<&Metadata>,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<T, E>,
) -> Result<T, E> {
    let mut out = BufWriter::new(file);
    let written = write(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    if let Some(there) = there {
        // Only root can give a file away, and only to root it matters.
        let _ = fchown(&file, Some(there.uid()), Some(there.gid()));
        file.set_permissions(there.permissions())?;
    }
    file.sync_all()?;
    Ok(written)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn put(path: &Path, text: &str) -> io::Result<()> {
        whole(path, |out| out.write_all(text.as_bytes()))
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_keeps_its_mode_and_its_links_and_what_lies_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let [file, link, beside] = ["list", "link", "list.partial"].map(|name| dir.path().join(name));
        fs::write(&file, "old").unwrap();
        fs::write(&beside, "mine").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        symlink("list", &link).unwrap();
        put(&link, "new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&beside).unwrap(), "mine");
        let failed: io::Result<()> = whole(&file, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        symlink("later", dir.path().join("to-come")).unwrap();
        put(&dir.path().join("to-come"), "there").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("later")).unwrap(), "there");
        assert_eq!(names(dir.path()), ["later", "link", "list", "list.partial", "to-come"]);
    }

    #[test]
    fn a_pipe_and_a_device_are_written_to_and_stay_what_they_are() {
        put(Path::new("/dev/null"), "text").unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        assert!(put(Path::new("/dev/full"), "text").is_err());
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        put(&pipe, "text").unwrap();
        assert_eq!(reader.join().unwrap(), "text");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        assert!(put(dir.path(), "text").is_err());
    }
}
