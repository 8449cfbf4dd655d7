// lade diff A B
#include <array>
#include <map>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/files/compare.h"
#include "libimage/files/waste.h"
#include "libimage/oci/json_text.h"

#include "tools/common/terminal.h"
#include "tools/inspect/image_view.h"
#include "tools/inspect/verbs.h"

namespace lade::tools {
namespace {

using files::Change;
using files::FileChange;
using files::TextChange;

constexpr std::array<std::string_view, 2> kFormats = {"text", "json"};
constexpr std::array<OptionSpec, 6> kDiffOptions = {{
    {.name = "only",
     .value = "PARTS",
     .help =
         "compare these parts alone: index, config, layers, files, packages, separated by commas"},
    {.name = "content", .help = "show the lines that differ in text files of up to 1 MiB"},
    {.name = "ignore-mtime",
     .help = "false: times of files and of creation count as well",
     .optional_value = true},
    {.name = "full", .help = "read layers that both images share even if they must be fetched"},
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "the images of indexes for this platform instead of the machine's"},
    {.name = "format",
     .letter = 'f',
     .value = "FORMAT",
     .help = "how to print",
     .choices = kFormats},
}};
constexpr std::array<std::span<const OptionSpec>, 3> kGroups = {kDiffOptions, kRegistryOptions,
                                                                kPlaceOptions};
constexpr std::array<std::string_view, 6> kExamples = {
    "What a new version changes, files and packages",
    "lade diff docker://registry.example/app:1.0 docker://registry.example/app:1.1",
    "Lines that differ in configuration files",
    "lade diff --only files --content app:old oci:app:new",
    "Is the rebuilt image the same but for its times?",
    "lade diff app:1 app:2 > /dev/null && echo same",
};
constexpr std::uint64_t kMaxText = std::uint64_t{1} << 20U;

struct Parts {
  bool index = true;
  bool config = true;
  bool layers = true;
  bool files = true;
  bool packages = true;
};

Parts parts_of(const Arguments& arguments) {
  const auto only = arguments.value("only");
  if (!only) return {};
  Parts parts{false, false, false, false, false};
  for (const std::string_view word : split(*only, ',')) {
    if (word == "index")
      parts.index = true;
    else if (word == "config")
      parts.config = true;
    else if (word == "layers")
      parts.layers = true;
    else if (word == "files")
      parts.files = true;
    else if (word == "packages")
      parts.packages = true;
    else
      throw UsageError(
          cat("--only ", quoted(word), ": use index, config, layers, files, packages"));
  }
  return parts;
}

/// All that differs.
struct Difference {
  std::vector<TextChange> index = {};
  std::vector<TextChange> config = {};
  std::size_t shared = 0;
  std::vector<TextChange> layers = {};
  std::vector<FileChange> files = {};
  std::map<std::string, std::string> contents = {};  ///< by path
  std::vector<TextChange> packages = {};
  std::vector<std::string> remarks = {};

  [[nodiscard]] bool none() const {
    return index.empty() && config.empty() && layers.empty() && files.empty() && packages.empty();
  }
};

std::map<std::string, std::string> entries_of(OpenedImage& image) {
  std::map<std::string, std::string> out;
  const oci::Document root = image.reader->document(image.root);
  const auto* index = std::get_if<oci::Index>(&root.parsed);
  if (index == nullptr) return out;
  for (const oci::Descriptor& entry : index->manifests) {
    std::string name =
        entry.platform ? oci::to_string(*entry.platform) : std::string("no platform");
    const std::string plain = name;
    for (int i = 2; out.contains(name); ++i) name = cat(plain, " #", i);
    out.emplace(std::move(name), entry.digest.str());
  }
  return out;
}

void compare_indexes(OpenedImage& a, OpenedImage& b, Difference& out) {
  const auto before = entries_of(a);
  const auto after = entries_of(b);
  if (before.empty() != after.empty()) {
    out.remarks.emplace_back(
        cat(before.empty() ? "the second" : "the first", " is an index, the other a single image"));
    return;
  }
  for (const auto& [name, digest] : before) {
    const auto other = after.find(name);
    if (other == after.end()) {
      out.index.push_back({.change = Change::removed, .name = name, .before = digest});
    } else if (other->second != digest) {
      out.index.push_back({.name = name, .before = digest, .after = other->second});
    }
  }
  for (const auto& [name, digest] : after) {
    if (!before.contains(name)) {
      out.index.push_back({.change = Change::added, .name = name, .after = digest});
    }
  }
}

void compare_layers(ImageView& a, ImageView& b, Difference& out) {
  const auto list = [&](ImageView& view, Change change) {
    const auto& layers = view.manifest().layers;
    const std::vector<std::string> history = files::layer_history(view.config(), layers.size());
    for (std::size_t i = out.shared; i < layers.size(); ++i) {
      TextChange line{.change = change, .name = layers[i].digest.str()};
      (change == Change::added ? line.after : line.before) =
          cat(human_size(layers[i].size), history[i].empty() ? "" : "  ", history[i]);
      out.layers.push_back(std::move(line));
    }
  };
  list(a, Change::removed);
  list(b, Change::added);
}

/// The lines that differ; "" where one of both is no text, or too long.
std::string content_of(ImageView& a, ImageView& b, const files::ComparedFiles& compared,
                       const FileChange& change) {
  const auto text = [](ImageView& view, const files::MergedFiles& files,
                       files::RowRef ref) -> std::optional<std::string> {
    if (!ref.exists()) return std::string();
    const files::FileRow& row = files.row(ref);
    if (row.kind != files::FileKind::regular || row.size > kMaxText) return std::nullopt;
    std::string content = read_all(*view.files->open(ref), kMaxText, "file");
    if (!files::is_text(content)) return std::nullopt;
    return content;
  };
  const auto before = text(a, compared.before(), change.before);
  const auto after = text(b, compared.after(), change.after);
  return before && after ? files::unified_diff(*before, *after) : std::string();
}

void compare_files(const Arguments& arguments, const Parts& parts, ImageView& a, ImageView& b,
                   const files::CompareOptions& options, Difference& out) {
  const files::ComparedFiles compared(*a.files, *b.files, out.shared, options);
  if (parts.files) out.files = compared.changes();
  if (parts.packages) out.packages = compared.package_changes(out.remarks);
  if (!compared.is_whole()) {
    out.remarks.push_back(
        cat(out.shared,
            " shared layers were not read; where only they tell what a file was, it says "
            "\"shared layers\" (--full reads them)"));
  }
  if (!arguments.flag("content")) return;
  for (const FileChange& change : out.files) {
    std::string lines = content_of(a, b, compared, change);
    if (!lines.empty()) out.contents.emplace(change.path, std::move(lines));
  }
}

char sign_of(Change change) { return "+-~"[static_cast<std::size_t>(change)]; }

std::string words_of(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += cat(out.empty() ? "" : ", ", word);
  return out;
}

std::string section(std::string_view name, const std::vector<TextChange>& changes) {
  std::string out;
  for (const TextChange& change : changes) {
    if (out.empty()) out = cat(name, ":\n");
    out += cat(sign_of(change.change), " ", printable(change.name));
    if (change.change == Change::changed) {
      out += cat("  ", printable(change.before), " -> ", printable(change.after));
    } else {
      out += cat("  ", printable(change.before), printable(change.after));
    }
    out += '\n';
  }
  return out;
}

/// Each line harmless to terminals.
std::string printable_lines(std::string_view text) {
  std::string out;
  for (const std::string_view line : split(text, '\n')) out += cat(printable(line), "\n");
  out.pop_back();
  return out;
}

std::string text_of(const Difference& difference) {
  std::string out = cat(section("index", difference.index), section("config", difference.config));
  if (!difference.layers.empty()) {
    out += section(cat("layers (", difference.shared, " shared below them)"), difference.layers);
  }
  if (!difference.files.empty()) out += "files:\n";
  for (const FileChange& change : difference.files) {
    out += cat(sign_of(change.change), " /", printable(change.path),
               change.what.empty() ? "" : "  ", words_of(change.what), "\n");
    const auto content = difference.contents.find(change.path);
    if (content != difference.contents.end()) out += printable_lines(content->second);
  }
  out += section("packages", difference.packages);
  for (const std::string& remark : difference.remarks) out += cat("# ", printable(remark), "\n");
  return out;
}

std::string changes_json(std::string_view name, const std::vector<TextChange>& changes) {
  std::string out = cat(",", oci::json_string(name), ":[");
  bool first = true;
  for (const TextChange& change : changes) {
    out += cat(first ? "" : ",", "{\"change\":\"", files::name_of(change.change),
               "\",\"name\":", oci::json_string(change.name));
    if (change.change != Change::added) out += cat(",\"before\":", oci::json_string(change.before));
    if (change.change != Change::removed) out += cat(",\"after\":", oci::json_string(change.after));
    out += '}';
    first = false;
  }
  return out + "]";
}

std::string strings_json(const std::vector<std::string>& words) {
  std::string out = "[";
  for (const std::string& word : words) {
    out += cat(out.size() == 1 ? "" : ",", oci::json_string(word));
  }
  return out + "]";
}

std::string json_of(const Difference& difference) {
  std::string out = cat("{\"equal\":", difference.none() ? "true" : "false");
  out += changes_json("index", difference.index);
  out += changes_json("config", difference.config);
  out += cat(",\"sharedLayers\":", difference.shared);
  out += changes_json("layers", difference.layers);
  out += ",\"files\":[";
  bool first = true;
  for (const FileChange& change : difference.files) {
    out += cat(first ? "" : ",", "{\"change\":\"", files::name_of(change.change),
               "\",\"path\":", oci::json_string(cat("/", change.path)),
               ",\"what\":", strings_json(change.what));
    const auto content = difference.contents.find(change.path);
    if (content != difference.contents.end()) {
      out += cat(",\"lines\":", oci::json_string(content->second));
    }
    out += '}';
    first = false;
  }
  out += "]";
  out += changes_json("packages", difference.packages);
  return oci::pretty_json(cat(out, ",\"remarks\":", strings_json(difference.remarks), "}"));
}

Difference compare(const Arguments& arguments, const Parts& parts, OneSide& side) {
  using Tables = files::ImageFilesOptions::Tables;
  const std::vector<std::string>& names = arguments.positional();
  files::CompareOptions options;
  if (!arguments.tri_state("ignore-mtime").value_or(true)) {
    options.times = files::CompareOptions::Times::compare;
  }
  if (arguments.flag("full")) options.shared = files::CompareOptions::Shared::all;
  ImageView a(arguments, side, names[0], Tables::verified);
  ImageView b(arguments, side, names[1], Tables::verified);
  Difference out;
  out.shared = files::shared_layers(a.manifest(), b.manifest());
  if (parts.index && !arguments.flag("platform")) compare_indexes(a.image, b.image, out);
  if (parts.config) out.config = files::config_changes(a.config(), b.config(), options);
  if (parts.layers) compare_layers(a, b, out);
  if (parts.files || parts.packages) compare_files(arguments, parts, a, b, options, out);
  return out;
}

int run_diff(const Arguments& arguments, const Environment& environment) {
  const Parts parts = parts_of(arguments);
  OneSide side(arguments, environment);
  const std::vector<std::string>& names = arguments.positional();
  try {
    const Difference difference = compare(arguments, parts, side);
    print(arguments.value_or("format", "text") == "json" ? cat(json_of(difference), "\n")
                                                         : text_of(difference));
    return difference.none() ? 0 : 1;
  } catch (const Error& e) {
    print_error(
        cat("lade: diff ", printable(names[0]), " ", printable(names[1]), ": ", e.what(), "\n"));
    return 2;
  }
}

}  // namespace

const VerbSpec kDiffVerb = {
    .name = "diff",
    .synopsis = "A B",
    .summary = "show what differs between two images, without pulling them",
    .description =
        "Compares the entries of two indexes, and of the images for one platform the config, "
        "layers, "
        "files (type, mode, owner, size, content, link, xattrs) and packages (dpkg, apk, rpm, npm, "
        "Python). A and B may lie anywhere.\n\n"
        "Layers that both share are known by their digest: on a registry they are not fetched. "
        "Where "
        "one image writes or deletes a file that shared layers may have, the line then says "
        "\"shared "
        "layers\"; --full reads them.\n\n"
        "Exit status as diff(1): 0 no difference, 1 some, 2 trouble.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 2,
    .max_positional = 2,
    .run = run_diff,
    .group = "Inspect",
};

}  // namespace lade::tools
