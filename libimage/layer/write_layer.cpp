#include "libimage/layer/write_layer.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/layer/content_reader.h"
#include "libimage/layer/tar_writer.h"

namespace lade {
namespace {

/// Streams one large file; its digest if asked for.
class LargeFile {
 public:
  LargeFile() : buffer_(4 * kChunkBytes) {}

  std::optional<Digest> write(const LayerEntry& entry, tar::TarWriter& tar, bool digest) {
    if (entry.content.text) {
      if (entry.content.text->size() != entry.attributes.size) throw_changed(entry.path);
      tar.content(bytes_of(*entry.content.text));
      return digest ? std::optional(sha256_of(*entry.content.text)) : std::nullopt;
    }
    Hasher hasher;
    const UniqueFd file = opener_.open(entry.content, entry.attributes.size);
    const bool is_piece = entry.content.offset.has_value();
    digest = digest && !is_piece;
    FdReader reader{file.get(), entry.content.path, entry.content.offset.value_or(0)};
    (void)::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    for (std::uint64_t left = entry.attributes.size; left != 0;) {
      const std::size_t got = reader.read(std::span(buffer_).first(
          is_piece ? std::min<std::uint64_t>(left, buffer_.size()) : buffer_.size()));
      if (got == 0 || got > left) throw_changed(entry.content.path);
      const ByteView data = std::span(buffer_).first(got);
      if (digest) hasher.update(data);
      tar.content(data);
      left -= got;
    }
    if (!is_piece && reader.read(std::span(buffer_).first(1)) != 0)
      throw_changed(entry.content.path);
    return digest ? std::optional(hasher.digest()) : std::nullopt;
  }

 private:
  struct FdReader {
    int fd;
    const std::string& path;
    std::uint64_t at;
    std::size_t read(std::span<std::byte> out) {
      for (;;) {
        const ssize_t got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(at));
        if (got >= 0) {
          at += static_cast<std::uint64_t>(got);
          return static_cast<std::size_t>(got);
        }
        if (errno != EINTR) throw_errno(cat("read ", quoted(path)));
      }
    }
  };
  FileOpener opener_;
  std::vector<std::byte> buffer_;
};

/// The stages behind take what comes in few large pieces.
class Gather final : public Sink {
 public:
  explicit Gather(Sink& next) : next_(next) { buffer_.reserve(kChunkBytes); }
  void write(ByteView data) override {
    if (buffer_.size() + data.size() > kChunkBytes) flush();
    if (data.size() >= kChunkBytes / 2) {
      flush();
      next_.write(data);
    } else {
      buffer_.insert(buffer_.end(), data.begin(), data.end());
    }
  }
  void flush() {
    if (!buffer_.empty()) next_.write(buffer_);
    buffer_.clear();
  }

 private:
  Sink& next_;
  std::vector<std::byte> buffer_;
};

}  // namespace

Timestamp recorded_mtime(const Timestamp& mtime, const LayerOptions& options) {
  if (options.set_mtime) return *options.set_mtime;
  return options.clamp_mtime ? std::min(mtime, *options.clamp_mtime) : mtime;
}

void write_tar(std::span<const LayerEntry> entries, Sink& out, const LayerOptions& options) {
  Gather gathered(out);
  tar::TarWriter tar(gathered, options);
  const bool digests = static_cast<bool>(options.on_content);
  ContentReader contents(entries, options.readers,
                         digests ? ContentReader::Digests::sha256 : ContentReader::Digests::none);
  LargeFile large;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const LayerEntry& entry = entries[i];
    tar.header(entry);
    if (!has_content(entry)) continue;
    std::optional<Digest> digest;
    if (entry.attributes.size <= kReadWhole) {
      const ContentReader::Content content = contents.content(i);
      tar.content(bytes_of(content.bytes));
      digest = content.digest;
    } else {
      digest = large.write(entry, tar, digests);
    }
    tar.end_content(entry.attributes.size);
    if (digest) options.on_content(entry, *digest);
  }
  tar.finish();
  gathered.flush();
}

LayerResult write_layer(std::span<const LayerEntry> entries, Writer& store,
                        const LayerOptions& options) {
  const Codec& codec = codec_named(options.codec);
  if (codec.compress_to == nullptr) {
    throw Error(Errc::unsupported,
                cat("write layer: codec ", quoted(options.codec), " only reads"));
  }
  const oci::MediaType media_type = oci::layer_media_type(options.family, codec.name);
  const std::unique_ptr<BlobWriter> blob = store.start_blob({});
  const std::unique_ptr<Sink> compressed = codec.compress_to(*blob, options.compress);
  HashingSink hashed(*compressed);
  write_tar(entries, hashed, options);
  hashed.finish();
  return {blob->commit(media_type), DiffId{hashed.digest()}, hashed.bytes()};
}

}  // namespace lade
