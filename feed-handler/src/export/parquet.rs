//! Parquet: <https://parquet.apache.org/docs/file-format/>.

use super::batch::group_rows;
use arrow_schema::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use std::io::Write;

/// A writer of row groups of bounded length.
pub(super) fn writer<W: Write + Send>(
    out: W,
    schema: &SchemaRef,
) -> Result<ArrowWriter<W>, ParquetError> {
    let group = group_rows(schema.fields().len());
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("feed-handler ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(group))
        // A row group is what is skipped; statistics of every page would be kept until the file ends.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for field in schema.fields() {
        let path = ColumnPath::from(field.name().as_str());
        properties = match field.data_type() {
            // Few different values.
            DataType::Dictionary(..) | DataType::UInt16 => properties,
            // The others differ little from the row before, or much: a dictionary would be built and given up.
            _ => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
        };
    }
    ArrowWriter::try_new(out, schema.clone(), Some(properties.build()))
}
