/// What the verbs that look into layers share: the image of one platform with its files.
#pragma once
#include <array>
#include <memory>
#include <string>

#include "libimage/files/image_files.h"
#include "libimage/oci/image_config.h"

#include "tools/common/groups.h"
#include "tools/common/images.h"
#include "tools/common/options.h"
#include "tools/copy/one_side.h"

namespace lade::tools {

inline constexpr std::array<OptionSpec, 2> kViewOptions = {{
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "the image of an index for this platform instead of the machine's"},
    {.name = "layer",
     .value = "N|DIGEST",
     .help = "show one layer alone: its number, 1 is the base, or (the start of) its digest"},
}};
inline constexpr std::array<OptionSpec, 1> kPlatformOption = {kViewOptions[0]};

/// An image to look into. Its parts refer to each other: it stays where it is made.
struct ImageView {
  ImageView(const Arguments& arguments, OneSide& side, const std::string& name,
            files::ImageFilesOptions::Tables tables = files::ImageFilesOptions::Tables::any,
            const std::string& platform = {});
  ImageView(const ImageView&) = delete;
  ImageView& operator=(const ImageView&) = delete;

  OpenedImage image;
  oci::Document document;  ///< the image manifest
  std::unique_ptr<files::ImageFiles> files;

  [[nodiscard]] const oci::Manifest& manifest() const {
    return std::get<oci::Manifest>(document.parsed);
  }
  oci::ImageConfig config() const;
};

/// A path in an image, found.
struct FoundPath {
  const files::MergedFiles* files = nullptr;
  files::PathId path = files::kNoPath;
};

/// The path `text` in the image, or in the layer that --layer names. Error{not_found}.
FoundPath find_path(const Arguments& arguments, ImageView& view, const std::string& text,
                    files::MergedFiles::Last last);

/// The file system that --layer asks for: merged, or of one layer.
const files::MergedFiles& wanted_files(const Arguments& arguments, ImageView& view);

/// "/usr/bin" of a path.
std::string shown_path(const files::MergedFiles& files, files::PathId path);

/// "drwxr-xr-x"; whiteouts begin with "w".
std::string mode_text(const files::FileRow& row);
/// "file", "directory", "symlink", "fifo", "character", "block", "hardlink", "whiteout".
std::string_view kind_name(const files::FileRow& row);
bool is_whiteout(const files::FileRow& row);

/// One file as JSON: path, type, mode, uid, gid, size, mtime, target, device, xattrs, layer,
/// layerDigest, digest, verified.
std::string file_json(ImageView& view, const files::MergedFiles& files, files::PathId path);

/// Lines of files for people, in columns as wide as need be.
class FileLines {
 public:
  enum class Style { names, layered, full };
  FileLines(ImageView& view, const files::MergedFiles& files, Style style)
      : view_(view), files_(files), style_(style) {}
  /// `name`: what to call it.
  void add(files::PathId path, const std::string& name);
  /// All lines, each with its end; the object is empty afterwards.
  std::string take();

 private:
  ImageView& view_;
  const files::MergedFiles& files_;
  Style style_;
  std::vector<std::vector<std::string>> lines_;
};

}  // namespace lade::tools
