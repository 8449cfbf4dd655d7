#include "libimage/files/content.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/store/range_reader.h"
#include "libimage/store/text_source.h"

namespace lade::files {
namespace {

constexpr std::string_view kShortage = "the layer ends before the file does";

/// A sparse file: what the reader of tars makes of the entry whose content is at `place`.
class SparseFile final : public Source {
 public:
  SparseFile(std::unique_ptr<Source> tar, std::uint64_t place)
      : tar_(std::move(tar)), reader_(*tar_) {
    while (reader_.next()) {
      if (reader_.position() == place) return;
    }
    throw Error(Errc::invalid_content, "the layer does not hold the file any more");
  }
  std::size_t read(std::span<std::byte> out) override { return reader_.read(out); }

 private:
  std::unique_ptr<Source> tar_;
  TarReader reader_;
};

}  // namespace

std::unique_ptr<Source> verified(std::unique_ptr<Source> content, const FileRow& row,
                                 const FilePool& pool) {
  if (row.digest == 0) return content;
  return std::make_unique<VerifyingSource>(
      std::move(content), Digest::parse(cat("sha256:", hex_of(pool.digest(row.digest)))), row.size);
}

LayerContent::LayerContent(Reader& reader, const oci::Descriptor& served)
    : reader_(reader), served_(served), read_([this](std::uint64_t offset, std::uint64_t size) {
        return open_range(reader_, served_, offset, size);
      }) {}

std::unique_ptr<Source> LayerContent::open_tar(SeekTable* seek, bool& plain) const {
  auto stored = std::make_unique<PeekableSource>(reader_.open(served_));
  const ByteView head = stored->peek(SeekTable::kHeadBytes);
  const Codec& codec = codec_of(head);
  plain = codec.name == "identity";
  if (seek != nullptr && SeekTable::suits(head)) return seek->scan(std::move(stored), codec);
  return decompressed(std::move(stored));
}

std::unique_ptr<Source> LayerContent::open_unverified(const LayerFiles& layer,
                                                      const FileRow& row) const {
  bool plain = false;
  if (row.sparse) return std::make_unique<SparseFile>(open_tar(nullptr, plain), row.place);
  if (layer.plain) return open_range(reader_, served_, row.place, row.size);
  if (!layer.seek)
    return std::make_unique<PartSource>(open_tar(nullptr, plain), row.place, row.size, kShortage);
  const std::uint64_t end = std::min(
      layer.seek->compressed_end(row.place + row.size).value_or(served_.size), served_.size);
  return std::make_unique<PartSource>(layer.seek->open(
                                          [&](std::uint64_t offset) {
                                            return open_range(reader_, served_, offset,
                                                              end - std::min(end, offset));
                                          },
                                          row.place),
                                      0, row.size, kShortage);
}

std::unique_ptr<Source> LayerContent::open(const LayerFiles& layer, const FileRow& row,
                                           const FilePool& pool) const {
  if (row.size == 0) return std::make_unique<TextSource>("");
  if (layer.table) {
    return open_file(layer.table->format,
                     layer.table->entries.at(static_cast<std::size_t>(row.place)), read_);
  }
  return verified(open_unverified(layer, row), row, pool);
}

}  // namespace lade::files
