#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "libimage/io/stream.h"
#include "libimage/storage/tar_split_entry.h"
#include "libimage/storage/tree_files.h"

namespace lade {

/// The original tar stream of a layer, put together from tar-split's lines and the files of its
/// tree. A file whose size or checksum differs is Error{invalid_content}; the digest of the whole
/// is for the caller to verify.
class AssembledSource final : public Source {
 public:
  /// `split`: the lines, decompressed.
  AssembledSource(std::unique_ptr<Source> split, TreeFiles files);
  std::size_t read(std::span<std::byte> out) override;

 private:
  bool next_entry();
  bool read_line();
  std::size_t read_segment(std::span<std::byte> out);
  std::size_t read_file(std::span<std::byte> out);

  std::unique_ptr<Source> split_;
  TreeFiles files_;
  std::string buffer_;  // lines read ahead
  std::size_t at_ = 0;  // of the next line in buffer_
  std::size_t line_end_ = 0;
  bool split_ended_ = false;
  TarSplitEntry entry_;  // being passed on
  std::size_t segment_at_ = 0;
  UniqueFd file_;
  std::uint64_t file_left_ = 0;
  std::uint64_t crc_ = 0;
};

}  // namespace lade
