#include "tools/inspect/image_view.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/image/select.h"
#include "libimage/name/platform.h"
#include "libimage/oci/json_text.h"

namespace lade::tools {
namespace {

using files::FileKind;
using files::FileRow;

oci::Document select_image(OpenedImage& image, const std::string& platform) {
  return image::select(*image.reader, image.root,
                       platform.empty() ? host_platform() : parse_platform(platform));
}

std::size_t layer_number(const ImageView& view, const std::string& text) {
  const std::size_t count = view.files->layers();
  if (const auto number = parse_decimal(text); number && text.size() < 6) {
    if (*number == 0 || *number > count) {
      throw Error(Errc::not_found, cat("there is no layer ", *number, ": the image has ", count));
    }
    return static_cast<std::size_t>(*number - 1);
  }
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < count; ++i) {
    const Digest& digest = view.manifest().layers[i].digest;
    if (!digest.str().starts_with(text) && !digest.encoded().starts_with(text)) continue;
    if (found && view.manifest().layers[*found].digest != digest) {
      throw Error(Errc::invalid_argument, cat(quoted(text), " begins more than one digest"));
    }
    if (!found) found = i;
  }
  if (!found || text.empty()) throw Error(Errc::not_found, cat("there is no layer ", quoted(text)));
  return *found;
}

std::string size_text(const FileRow& row) {
  if (row.kind == FileKind::character || row.kind == FileKind::block) {
    return cat(row.size >> 32U, ",", row.size & 0xFFFFFFFFU);
  }
  return cat(row.size);
}

std::string target_of(const files::FilePool& pool, const FileRow& row) {
  if (row.kind == FileKind::symlink) return std::string(pool.text(row.link));
  return row.kind == FileKind::hardlink ? cat("/", pool.paths.path(row.link)) : std::string();
}

}  // namespace

ImageView::ImageView(const Arguments& arguments, OneSide& side, const std::string& name,
                     files::ImageFilesOptions::Tables tables, const std::string& platform)
    : image(open_image(name, *side.session, side.stores, Reading::surely)),
      document(
          select_image(image, platform.empty() ? arguments.value_or("platform", "") : platform)) {
  files = std::make_unique<files::ImageFiles>(
      *image.reader, manifest(),
      files::ImageFilesOptions{.cache_dir = side.session->options().cache_dir,
                               .tables = tables,
                               .observer = side.warnings.get(),
                               .stop = side.stop.token()});
}

oci::ImageConfig ImageView::config() const { return image::read_config(*image.reader, manifest()); }

const files::MergedFiles& wanted_files(const Arguments& arguments, ImageView& view) {
  const auto layer = arguments.value("layer");
  if (!layer) return view.files->merged();
  return view.files->alone(layer_number(view, *layer));
}

FoundPath find_path(const Arguments& arguments, ImageView& view, const std::string& text,
                    files::MergedFiles::Last last) {
  FoundPath found;
  if (const auto layer = arguments.value("layer")) {
    found.files = &view.files->alone(layer_number(view, *layer));
    found.path = found.files->find(text, last).path;
  } else {
    const files::ImageFiles::Found answer = view.files->find(text, last);
    found = {answer.files, answer.path};
  }
  if (found.path == files::kNoPath) {
    throw Error(Errc::not_found, cat(quoted(text), ": no such file or directory in the image"));
  }
  return found;
}

std::string shown_path(const files::MergedFiles& files, files::PathId path) {
  return cat("/", files.pool().paths.path(path));
}

bool is_whiteout(const FileRow& row) { return row.kind == FileKind::character && row.size == 0; }

std::string mode_text(const FileRow& row) {
  if (is_whiteout(row)) return "w---------";
  constexpr std::string_view kTypes = "-dlpcbh";
  std::string out(1, kTypes[static_cast<std::size_t>(row.kind)]);
  for (unsigned shift = 9; shift > 0; shift -= 3) {
    const unsigned bits = static_cast<unsigned>(row.mode) >> (shift - 3U);
    out += (bits & 4U) != 0 ? 'r' : '-';
    out += (bits & 2U) != 0 ? 'w' : '-';
    out += (bits & 1U) != 0 ? 'x' : '-';
  }
  const auto special = [&](unsigned bit, std::size_t at, char with, char without) {
    if ((row.mode & bit) != 0) out[at] = out[at] == 'x' ? with : without;
  };
  special(04000U, 3, 's', 'S');
  special(02000U, 6, 's', 'S');
  special(01000U, 9, 't', 'T');
  return out;
}

std::string_view kind_name(const FileRow& row) {
  if (is_whiteout(row)) return "whiteout";
  constexpr std::array<std::string_view, 7> kNames = {"file",      "directory", "symlink", "fifo",
                                                      "character", "block",     "hardlink"};
  return kNames.at(static_cast<std::size_t>(row.kind));
}

std::string file_json(ImageView& view, const files::MergedFiles& files, files::PathId path) {
  const FileRow& row = *files.at(path);
  const files::FilePool& pool = files.pool();
  std::string mode = "0000";
  for (std::size_t i = 0; i < 4; ++i) {
    mode[i] = static_cast<char>('0' + ((static_cast<unsigned>(row.mode) >> (9 - 3 * i)) & 7U));
  }
  std::string out =
      cat("{\"path\":", oci::json_string(shown_path(files, path)), ",\"type\":\"", kind_name(row),
          "\",\"mode\":\"", mode, "\",\"uid\":", row.uid, ",\"gid\":", row.gid);
  if (row.kind == FileKind::regular) out += cat(",\"size\":", row.size);
  if (row.kind == FileKind::character || row.kind == FileKind::block) {
    out += cat(",\"device\":\"", row.size >> 32U, ":", row.size & 0xFFFFFFFFU, "\"");
  }
  out += cat(",\"mtime\":", oci::json_string(to_rfc3339({row.mtime, row.mtime_nanoseconds})));
  if (const std::string target = target_of(pool, row); !target.empty()) {
    out += cat(",\"target\":", oci::json_string(target));
  }
  if (row.xattrs != 0) {
    out += ",\"xattrs\":{";
    bool first = true;
    for (const auto& [name, value] : pool.xattrs(row.xattrs)) {
      out += cat(first ? "" : ",", oci::json_string(name), ":", oci::json_string(value));
      first = false;
    }
    out += '}';
  }
  if (const auto layer = files.owner(path)) {
    out += cat(",\"layer\":", *layer + 1,
               ",\"layerDigest\":", oci::json_string(view.manifest().layers[*layer].digest.str()));
  }
  if (row.kind == FileKind::regular) {
    if (row.digest != 0)
      out += cat(",\"digest\":\"sha256:", files::hex_of(pool.digest(row.digest)), "\"");
    out += cat(",\"verified\":", view.files->is_verified(files.ref_at(path)) ? "true" : "false");
  }
  return out + "}";
}

void FileLines::add(files::PathId path, const std::string& name) {
  const FileRow& row = *files_.at(path);
  std::vector<std::string> line;
  if (style_ == Style::full) {
    line = {mode_text(row), cat(row.uid), cat(row.gid), size_text(row), to_rfc3339({row.mtime, 0})};
  }
  if (style_ != Style::names) {
    const auto layer = files_.owner(path);
    line.push_back(layer ? cat(*layer + 1) : "-");
  }
  std::string last = printable(name);
  if (const std::string target = target_of(files_.pool(), row);
      style_ == Style::full && !target.empty()) {
    last += cat(" -> ", printable(target));
  }
  line.push_back(std::move(last));
  lines_.push_back(std::move(line));
}

std::string FileLines::take() {
  std::vector<std::size_t> widths;
  for (const auto& line : lines_) {
    widths.resize(line.size());
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string out;
  for (const auto& line : lines_) {
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
      const std::string blanks(widths[i] - line[i].size(), ' ');
      out += i == 0 ? cat(line[i], blanks, " ") : cat(blanks, line[i], " ");
    }
    out += line.back();
    out += '\n';
  }
  lines_.clear();
  return out;
}

}  // namespace lade::tools
