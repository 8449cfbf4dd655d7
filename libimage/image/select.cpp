#include "libimage/image/select.h"

#include <algorithm>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/name/platform.h"

namespace lade::image {
namespace {

constexpr std::size_t kPlatformsShown = 20;

class Selection {
 public:
  Selection(Reader& reader, const oci::Platform& wanted)
      : reader_(reader), wanted_(normalised(wanted)) {}

  std::optional<oci::Document> from(const oci::Descriptor& root, std::size_t depth) {
    oci::Document document = reader_.document(root);
    if (std::holds_alternative<oci::Manifest>(document.parsed)) return document;
    const auto* index = std::get_if<oci::Index>(&document.parsed);
    if (index == nullptr) {
      throw Error(Errc::unsupported,
                  cat(root.digest.brief(), " is of type ", quoted(document.descriptor.media_type),
                      ", neither an image nor an index"));
    }
    return from_index(*index, depth);
  }

  /// "linux/amd64, linux/arm64": what was seen on the way.
  [[nodiscard]] std::string available() const {
    if (platforms_.empty()) return "none with a platform";
    std::string out;
    std::size_t shown = 0;
    for (const std::string& platform : platforms_) {
      if (shown == kPlatformsShown) {
        out += cat(" and ", platforms_.size() - shown, " more");
        break;
      }
      out += cat(shown == 0 ? "" : ", ", printable(platform));
      ++shown;
    }
    return out;
  }

 private:
  std::optional<oci::Document> from_index(const oci::Index& index, std::size_t depth) {
    if (depth >= oci::kMaxIndexDepth) {
      throw Error(Errc::limit_exceeded,
                  cat("indexes nested deeper than ", oci::kMaxIndexDepth, " levels"));
    }
    if (++indexes_read_ > kMaxIndexesRead) {
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxIndexesRead, " indexes to search"));
    }
    for (const oci::Descriptor& entry : index.manifests) note(entry);
    if (const auto best = choose_platform(index.manifests, wanted_)) {
      return from(index.manifests[*best], depth + 1);
    }
    for (const oci::Descriptor& entry : index.manifests) {
      if (!oci::is_index(entry.media_type) || entry.platform) continue;
      if (auto found = from(entry, depth + 1)) return found;
    }
    return std::nullopt;
  }

  void note(const oci::Descriptor& entry) {
    if (!entry.platform || entry.platform->os == "unknown") return;
    platforms_.insert(oci::to_string(normalised(*entry.platform)));
  }

  Reader& reader_;
  oci::Platform wanted_;
  std::size_t indexes_read_ = 0;
  std::set<std::string> platforms_;
};

}  // namespace

oci::Document select(Reader& reader, const oci::Descriptor& root, const oci::Platform& platform) {
  Selection selection(reader, platform);
  if (auto found = selection.from(root, 0)) return *std::move(found);
  throw Error(Errc::not_found,
              cat("no image for ", printable(oci::to_string(platform)), " in index ",
                  root.digest.brief(), ": it has ", selection.available()));
}

oci::ImageConfig read_config(Reader& reader, const oci::Manifest& manifest) {
  const oci::Descriptor& blob = manifest.config;
  if (!oci::is_image_config(blob.media_type)) {
    throw Error(Errc::unsupported, cat("config of type ", quoted(blob.media_type),
                                       " is no image config: this is an artifact, not an image"));
  }
  return with_context(
      [&] { return cat("config ", blob.digest.brief()); },
      [&] {
        if (blob.size > oci::kMaxConfigBytes) {
          throw Error(Errc::limit_exceeded,
                      cat(blob.size, " bytes, more than ", oci::kMaxConfigBytes));
        }
        const std::unique_ptr<Source> source = reader.open(blob);
        oci::ImageConfig config =
            oci::parse_image_config(read_all(*source, oci::kMaxConfigBytes, "image config"));
        if (config.diff_ids.size() != manifest.layers.size()) {
          throw Error(Errc::invalid_content,
                      cat("it lists ", config.diff_ids.size(), " diff IDs, but the manifest has ",
                          manifest.layers.size(), " layers"));
        }
        return config;
      });
}

}  // namespace lade::image
