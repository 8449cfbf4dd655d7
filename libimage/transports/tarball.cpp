// An image made up of tars of a root file system, a layer each.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"
#include "libimage/name/platform.h"
#include "libimage/oci/image_config.h"
#include "libimage/store/text_source.h"
#include "libimage/transports/input_file.h"
#include "libimage/transports/table.h"
#include "libimage/transports/tar_header.h"

namespace lade {
namespace {

constexpr std::size_t kMaxFiles = 127;  // layers that overlayfs and others take
constexpr std::size_t kMagicBytes = 6;
constexpr const char* kAuthor = "imported from tarball";

/// Hashes what passes by.
class TeeSource final : public Source {
 public:
  TeeSource(Source& source, Hasher& hasher) : source_(source), hasher_(hasher) {}
  std::size_t read(std::span<std::byte> out) override {
    const std::size_t got = source_.read(out);
    hasher_.update(ByteView(out).first(got));
    bytes_ += got;
    return got;
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  Source& source_;
  Hasher& hasher_;
  std::uint64_t bytes_ = 0;
};

/// Refuses at once what begins like no tar: any file could be a layer otherwise.
void check_first_block(const TarBlock& block, std::size_t bytes) {
  if (bytes != block.size()) throw Error(Errc::invalid_content, "it is too short to be a tar");
  if (is_zero(block)) return;  // an empty one
  try {
    (void)parse_tar_header(block);
  } catch (const Error&) {
    throw Error(Errc::invalid_content, "it is no tar");
  }
}

/// One file as a layer: as it is, where the OCI has a media type for its compression, else
/// decompressed.
class TarballLayer {
 public:
  TarballLayer(const std::string& path, const SessionOptions& options)
      : path_(path), stop_(options.stop) {
    with_context([&] { return cat("tarball ", quoted(path_)); },
                 [&] {
                   fd_ = std::make_shared<UniqueFd>(open_input_file(path_, options));
                   measure();
                 });
  }

  [[nodiscard]] const oci::Descriptor& descriptor() const noexcept { return *descriptor_; }
  [[nodiscard]] const DiffId& diff_id() const noexcept { return *diff_id_; }

  [[nodiscard]] std::unique_ptr<Source> open() const {
    return decompress_ ? decompressed(open_file()) : open_file();
  }
  /// The file, where it is the blob.
  [[nodiscard]] std::shared_ptr<const UniqueFd> file() const { return decompress_ ? nullptr : fd_; }

 private:
  [[nodiscard]] std::unique_ptr<Source> open_file() const {
    return std::make_unique<FileRangeSource>(fd_, 0, file_size(fd_->get()),
                                             cat("tarball ", quoted(path_)));
  }

  /// Reads the file once, for both digests.
  void measure() {
    std::vector<std::byte> head(kMagicBytes);
    head.resize(read_file_range(fd_->get(), 0, head));
    const Codec& codec = codec_of(head);
    decompress_ = codec.compress_to == nullptr;  // xz and bzip2 have no media types
    const std::unique_ptr<Source> file = open_file();
    Hasher blob;
    Hasher content;
    TeeSource stored(*file, blob);
    const std::unique_ptr<Source> decoder = codec.decompress_from(stored, {});
    TeeSource unpacked(*decoder, content);
    TarBlock first{};
    check_first_block(first, read_full(unpacked, first));
    std::vector<std::byte> buffer(kChunkBytes);
    while (unpacked.read(buffer) != 0) {
      if (stop_.stop_requested()) throw Cancelled();
    }
    diff_id_ = DiffId{content.digest()};
    const std::string_view kept = decompress_ ? "identity" : codec.name;
    descriptor_ =
        oci::Descriptor{.media_type = oci::layer_media_type(oci::Family::oci, std::string(kept)),
                        .digest = decompress_ ? content.digest() : blob.digest(),
                        .size = decompress_ ? unpacked.bytes() : stored.bytes()};
  }

  std::string path_;
  std::stop_token stop_;
  std::shared_ptr<const UniqueFd> fd_;
  bool decompress_ = false;
  std::optional<oci::Descriptor> descriptor_;
  std::optional<DiffId> diff_id_;
};

/// The image; always the same for the same files on the same kind of machine.
class TarballReader final : public Reader {
 public:
  TarballReader(const std::vector<std::string>& paths, const SessionOptions& options) {
    oci::ImageConfig config;
    const oci::Platform platform = host_platform();
    config.architecture = platform.architecture;
    config.os = platform.os;
    config.variant = platform.variant;
    oci::Manifest manifest{.config = oci::describe("", "")};
    for (const std::string& path : paths) {
      layers_.emplace_back(path, options);
      const TarballLayer& layer = layers_.back();
      config.diff_ids.push_back(layer.diff_id());
      config.history.push_back(
          {.created_by = cat("tarball ", layer.diff_id().value.str()), .comment = kAuthor});
      manifest.layers.push_back(layer.descriptor());
    }
    std::string text = oci::serialise(config);
    manifest.config = oci::describe(std::string(oci::kImageConfig), text);
    std::string raw = oci::serialise(manifest);
    root_ = oci::describe(std::string(oci::kImageManifest), raw);
    texts_.emplace(manifest.config.digest, std::move(text));
    texts_.emplace(root_->digest, std::move(raw));
  }

  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    const auto* tag = std::get_if<Tag>(&reference);
    const bool ours =
        tag != nullptr ? tag->value.empty() : std::get<Digest>(reference) == root_->digest;
    return ours ? root_ : std::nullopt;
  }

  std::shared_ptr<const UniqueFd> file_of(const oci::Descriptor& blob) override {
    const TarballLayer* layer = layer_of(blob);
    return layer == nullptr ? nullptr : layer->file();
  }

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    if (const auto text = texts_.find(blob.digest); text != texts_.end()) {
      check_size(blob, text->second.size());
      return std::make_unique<TextSource>(text->second);
    }
    const TarballLayer* layer = layer_of(blob);
    if (layer == nullptr) {
      throw Error(Errc::not_found, cat("tarball: there is no blob ", blob.digest.str()));
    }
    check_size(blob, layer->descriptor().size);
    return layer->open();
  }

 private:
  static void check_size(const oci::Descriptor& blob, std::uint64_t size) {
    if (blob.size == size) return;
    throw Error(Errc::size_mismatch, cat("open blob ", blob.digest.str(), ": it has ", size,
                                         " instead of ", blob.size, " bytes"));
  }

  [[nodiscard]] const TarballLayer* layer_of(const oci::Descriptor& blob) const {
    const auto found = std::find_if(layers_.begin(), layers_.end(), [&](const TarballLayer& layer) {
      return layer.descriptor().digest == blob.digest;
    });
    return found == layers_.end() ? nullptr : &*found;
  }

  std::vector<TarballLayer> layers_;
  std::map<Digest, std::string> texts_;
  std::optional<oci::Descriptor> root_;
};

std::vector<std::string> paths_of(const ImageName& name) {
  const auto fail = [&](std::string_view reason) {
    throw Error(Errc::invalid_argument, cat("image name ", quoted(name.str()), ": ", reason));
  };
  std::vector<std::string> paths;
  for (const std::string_view path : split(name.rest, ':')) {
    if (path.empty() || path.find('\0') != std::string_view::npos) fail("a path is missing");
    paths.emplace_back(path);
  }
  if (paths.size() > kMaxFiles) fail(cat("more than ", kMaxFiles, " files"));
  if (std::count_if(paths.begin(), paths.end(), is_standard_input) > 1) {
    fail("standard input can be read once only");
  }
  return paths;
}

std::unique_ptr<Reader> read_tarball(const ImageName& name, Session& session) {
  return std::make_unique<TarballReader>(paths_of(name), session.options());
}

std::unique_ptr<Writer> write_tarball(const ImageName& name, Session& /*session*/) {
  throw Error(Errc::unsupported, cat("image name ", quoted(name.str()),
                                     ": tarball: is read only; docker-archive: and oci-archive: "
                                     "are written"));
}

TagOrDigest reference_of(const ImageName& /*name*/) { return Tag{}; }

}  // namespace

Transport tarball_transport() {
  return {.name = "tarball",
          .syntax = "tarball:FILE|-[:FILE...]",
          .reader = read_tarball,
          .writer = write_tarball,
          .reference = reference_of};
}

}  // namespace lade
