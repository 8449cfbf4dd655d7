#include <algorithm>
#include <cstring>
#include <limits>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"
#include "libimage/seekable/table_of_contents.h"

namespace lade {
namespace {

class Zeros final : public Source {
 public:
  explicit Zeros(std::uint64_t size) : left_(size) {}
  std::size_t read(std::span<std::byte> out) override {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left_));
    std::memset(out.data(), 0, count);
    left_ -= count;
    return count;
  }

 private:
  std::uint64_t left_;
};

class ChunkedFile final : public Source {
 public:
  ChunkedFile(TableFormat format, const TableEntry& entry, const ReadRange& read)
      : format_(format), entry_(entry), read_(read) {}

  std::size_t read(std::span<std::byte> out) override {
    for (;;) {
      if (!chunk_) {
        if (next_ == entry_.chunks.size()) return 0;
        chunk_ = open_chunk(format_, entry_.chunks[next_++], read_);
      }
      if (const std::size_t got = chunk_->read(out); got != 0) return got;
      chunk_.reset();
    }
  }

 private:
  const TableFormat format_;
  const TableEntry& entry_;
  const ReadRange& read_;
  std::unique_ptr<Source> chunk_ = {};
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Source> open_chunk(TableFormat format, const TableChunk& chunk,
                                   const ReadRange& read) {
  std::unique_ptr<Source> content;
  if (chunk.zeros) {
    content = std::make_unique<Zeros>(chunk.size);
  } else {
    const bool gzip = format == TableFormat::estargz || format == TableFormat::stargz;
    content = std::make_unique<PartSource>(
        decompressed(read(chunk.stored.offset, chunk.stored.size),
                     codec_named(gzip ? "gzip" : "zstd")),
        chunk.inner_offset, chunk.size, "chunk: the stored bytes hold less than the table says");
  }
  if (!chunk.digest) return content;
  return std::make_unique<VerifyingSource>(std::move(content), *chunk.digest, chunk.size);
}

std::unique_ptr<Source> open_file(TableFormat format, const TableEntry& entry,
                                  const ReadRange& read) {
  if (entry.kind != LayerEntry::Kind::file || entry.attributes.type != FileType::regular) {
    throw Error(Errc::invalid_argument, cat(quoted(entry.path), " is not a regular file"));
  }
  auto content = std::make_unique<ChunkedFile>(format, entry, read);
  // One chunk is verified already.
  if (!entry.digest || (entry.chunks.size() == 1 && entry.chunks[0].digest == entry.digest)) {
    return content;
  }
  return std::make_unique<VerifyingSource>(std::move(content), *entry.digest,
                                           entry.attributes.size);
}

}  // namespace lade
