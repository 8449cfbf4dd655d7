/// Checks what a table of contents says and makes values of it. Internal to the seekable module.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/seekable/table_of_contents.h"

namespace lade::seekable {

/// One object of the table's list, as it is spelled. Absent members are empty or 0.
struct RawEntry {
  std::string type = {};
  std::string name = {};
  std::string link_name = {};
  std::uint64_t mode = 0;
  std::uint64_t size = 0;
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::uint64_t device_major = 0;
  std::uint64_t device_minor = 0;
  std::string modtime = {};
  std::map<std::string, std::string> xattrs = {};  ///< values in base64
  std::string digest = {};
  std::uint64_t offset = 0;
  std::uint64_t end_offset = 0;
  std::uint64_t inner_offset = 0;
  std::uint64_t chunk_size = 0;
  std::uint64_t chunk_offset = 0;
  std::string chunk_digest = {};
  std::string chunk_type = {};
};

/// Takes the objects in their order. Errors name the entry; see read_table_of_contents().
class TableBuilder {
 public:
  TableBuilder(TableFormat format, const TableLimits& limits) : format_(format), limits_(limits) {}
  void add(RawEntry raw);
  /// All entries; their chunks lie in the first `data_end` bytes of the blob.
  std::vector<TableEntry> finish(std::uint64_t data_end);

 private:
  void add_file(RawEntry raw);
  void add_chunk(const RawEntry& raw);
  void end_file();
  void check_path(const std::string& path, std::string_view what) const;
  void place_chunks(std::uint64_t data_end);

  const TableFormat format_;
  const TableLimits limits_;
  std::vector<TableEntry> entries_ = {};
  /// Where the bytes of a regular file end, if the table says so; by entry.
  std::map<std::size_t, std::uint64_t> ends_ = {};
  std::uint64_t count_ = 0;  // of objects
  bool open_ = false;        // the last entry is a file whose chunks may follow
};

/// What the table says beside its entries.
struct TableHead {
  std::optional<Digest> tar_split_digest = {};
};

/// Parses the table's JSON into `builder`. Error{invalid_content}: not JSON, wrong types, members
/// twice or in another case (readers would disagree).
TableHead parse_table(std::string_view json, TableBuilder& builder);

}  // namespace lade::seekable
