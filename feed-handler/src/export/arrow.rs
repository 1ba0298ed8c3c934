//! The Arrow IPC file format, also called Feather V2:
//! <https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format>.

use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions};
use arrow_schema::{ArrowError, SchemaRef};
use std::io::Write;

/// A writer of record batches. What is new in a dictionary is written with the batch that first needs it.
pub(super) fn writer<W: Write>(out: W, schema: &SchemaRef) -> Result<FileWriter<W>, ArrowError> {
    let options = IpcWriteOptions::default().with_dictionary_handling(DictionaryHandling::Delta);
    FileWriter::try_new_with_options(out, schema, options)
}
