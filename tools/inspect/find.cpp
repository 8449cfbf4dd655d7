// lade find IMAGE [PATH], lade du IMAGE [PATH]
#include <array>
#include <set>
#include <unordered_map>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/timestamp.h"
#include "libimage/files/glob.h"

#include "tools/common/terminal.h"
#include "tools/inspect/image_view.h"
#include "tools/inspect/verbs.h"

namespace lade::tools {
namespace {

using files::FileKind;
using files::FileRow;
using files::PathId;

constexpr std::array<OptionSpec, 14> kFindOptions = {{
    {.name = "name", .value = "GLOB", .help = "files whose name matches"},
    {.name = "iname", .value = "GLOB", .help = "the same whatever the case"},
    {.name = "path", .value = "GLOB", .help = "files whose whole path matches; * matches / too"},
    {.name = "type",
     .value = "LETTERS",
     .help = "files of these types: f, d, l, p, c, b; w for whiteouts, with --layer"},
    {.name = "size",
     .value = "[+-]N[ckMG]",
     .help = "of this size, rounded up, larger (+) or smaller (-); units of 512 bytes without a "
             "letter, as find(1) has it"},
    {.name = "newer", .value = "PATH", .help = "changed after this file of the image"},
    {.name = "newermt", .value = "TIME", .help = "changed after this time (RFC 3339, or a date)"},
    {.name = "perm",
     .value = "[-/]MODE",
     .help = "with exactly this octal mode, all (-) or any (/) of its bits"},
    {.name = "uid", .value = "N", .help = "owned by this user ID"},
    {.name = "maxdepth", .value = "N", .help = "at most so many directories below PATH"},
    {.name = "long",
     .letter = 'l',
     .help = "mode, owner, group, size, time and layer of each file"},
    {.name = "layers", .help = "the number of the layer that each file comes from; 1 is the base"},
    {.name = "print0", .letter = '0', .help = "exact names, each ended by a NUL"},
    {.name = "json", .help = "one JSON array of all files"},
}};
constexpr std::array<std::span<const OptionSpec>, 4> kFindGroups = {
    kFindOptions, kViewOptions, kRegistryOptions, kPlaceOptions};
constexpr std::array<std::string_view, 4> kFindExamples = {
    "Programs that run with the rights of their owner, and the layers they come from",
    "lade find --type f --perm -4000 --layers docker://registry.example/app:1.0",
    "Files of more than 10 MiB",
    "lade find -l --size +10M app",
};
constexpr std::array<OptionSpec, 5> kDuOptions = {{
    {.name = "all", .letter = 'a', .help = "files as well as directories"},
    {.name = "summarize", .letter = 's', .help = "only the total"},
    {.name = "max-depth",
     .letter = 'd',
     .value = "N",
     .help = "at most so many directories below PATH"},
    {.name = "human", .letter = 'H', .help = "sizes as 1.5 MB"},
    {.name = "json", .help = "one JSON array"},
}};
constexpr std::array<std::span<const OptionSpec>, 4> kDuGroups = {kDuOptions, kViewOptions,
                                                                  kRegistryOptions, kPlaceOptions};
constexpr std::array<std::string_view, 2> kDuExamples = {
    "What takes the space",
    "lade du -H -d 2 docker://registry.example/app:1.0",
};

/// N with a sign in front: more than, less than, exactly.
struct Compared {
  int sign = 0;
  std::uint64_t value = 0;
  [[nodiscard]] bool fits(std::uint64_t number) const {
    if (sign == 0) return number == value;
    return sign > 0 ? number > value : number < value;
  }
};

/// What --name and the like ask for.
class Filter {
 public:
  Filter(const Arguments& arguments, ImageView& view)
      : name_(arguments.value("name")),
        iname_(arguments.value("iname")),
        path_(arguments.value("path")),
        types_(arguments.value_or("type", "")) {
    for (const char type : types_) {
      if (std::string_view("fdlpcbw,").find(type) == std::string_view::npos) {
        throw UsageError(cat("--type ", quoted(types_), ": use f, d, l, p, c, b or w"));
      }
    }
    read_size(arguments.value_or("size", ""));
    read_perm(arguments.value_or("perm", ""));
    uid_ = arguments.number("uid", 0, 0xFFFFFFFFU);
    if (const auto time = arguments.value("newermt")) newer_ = read_time(*time);
    if (const auto path = arguments.value("newer")) {
      const FoundPath found = find_path(arguments, view, *path, files::MergedFiles::Last::follow);
      const FileRow& row = *found.files->at(found.path);
      const Timestamp time{row.mtime, row.mtime_nanoseconds};
      newer_ = newer_ ? std::max(*newer_, time) : time;
    }
  }

  [[nodiscard]] bool takes(const files::MergedFiles& merged, PathId path) const {
    const FileRow& row = *merged.at(path);
    const std::string name(path == files::kRoot ? "/" : merged.pool().paths.name(path));
    using files::Letters;
    if (name_ && !files::glob_matches(*name_, name, Letters::exact)) return false;
    if (iname_ && !files::glob_matches(*iname_, name, Letters::any_case)) return false;
    if (path_ && !files::glob_matches(*path_, shown_path(merged, path), Letters::exact))
      return false;
    if (!types_.empty() && types_.find(type_letter(row)) == std::string::npos) return false;
    if (size_ && (row.kind != FileKind::regular || !size_->fits((row.size + unit_ - 1) / unit_))) {
      return false;
    }
    if (perm_ && !perm_fits(row.mode)) return false;
    if (uid_ && row.uid != *uid_) return false;
    return !newer_ || Timestamp{row.mtime, row.mtime_nanoseconds} > *newer_;
  }

 private:
  static char type_letter(const FileRow& row) {
    if (is_whiteout(row)) return 'w';
    return "fdlpcbf"[static_cast<std::size_t>(row.kind)];
  }

  void read_size(std::string text) {
    if (text.empty()) return;
    const std::string whole = text;
    Compared size;
    if (text[0] == '+' || text[0] == '-') {
      size.sign = text[0] == '+' ? 1 : -1;
      text.erase(0, 1);
    }
    constexpr std::string_view kUnits = "bckMG";
    constexpr std::array<std::uint64_t, 5> kSizes = {512, 1, 1U << 10U, 1U << 20U, 1U << 30U};
    if (const auto unit = text.empty() ? std::string_view::npos : kUnits.find(text.back());
        unit != std::string_view::npos) {
      unit_ = kSizes.at(unit);
      text.pop_back();
    }
    const auto value = parse_decimal(text);
    if (!value) throw UsageError(cat("--size ", quoted(whole), ": use [+-]N[ckMG]"));
    size.value = *value;
    size_ = size;
  }

  void read_perm(std::string text) {
    if (text.empty()) return;
    const std::string whole = text;
    if (text[0] == '-' || text[0] == '/') {
      perm_kind_ = text[0];
      text.erase(0, 1);
    }
    unsigned mode = 0;
    for (const char digit : text) {
      if (digit < '0' || digit > '7' || text.size() > 5) {
        throw UsageError(cat("--perm ", quoted(whole), ": use an octal mode"));
      }
      mode = mode * 8U + static_cast<unsigned>(digit - '0');
    }
    perm_ = mode & 07777U;
  }

  [[nodiscard]] bool perm_fits(unsigned mode) const {
    if (perm_kind_ == '-') return (mode & *perm_) == *perm_;
    if (perm_kind_ == '/') return *perm_ == 0 || (mode & *perm_) != 0;
    return mode == *perm_;
  }

  static Timestamp read_time(const std::string& text) {
    for (const std::string& spelled : {text, cat(text, "T00:00:00Z")}) {
      if (const auto time = parse_rfc3339(spelled)) return *time;
    }
    throw UsageError(cat("--newermt ", quoted(text), ": use RFC 3339 or YYYY-MM-DD"));
  }

  std::optional<std::string> name_;
  std::optional<std::string> iname_;
  std::optional<std::string> path_;
  std::string types_;
  std::uint64_t unit_ = 512;
  std::optional<Compared> size_;
  std::optional<unsigned> perm_;
  char perm_kind_ = '=';
  std::optional<std::uint64_t> uid_;
  std::optional<Timestamp> newer_;
};

std::size_t depth_of(const files::PathTable& paths, PathId path, PathId top) {
  std::size_t depth = 0;
  for (; path != top; path = paths.parent(path)) ++depth;
  return depth;
}

void print_found(const Arguments& arguments, ImageView& view, const files::MergedFiles& files,
                 const std::vector<PathId>& found) {
  if (arguments.flag("print0")) {
    for (const PathId path : found) print(shown_path(files, path) + '\0');
    return;
  }
  if (arguments.flag("json")) {
    std::string out = "[";
    for (const PathId path : found) {
      out += cat(out.size() == 1 ? "" : ",\n", file_json(view, files, path));
    }
    print(cat(out, "]\n"));
    return;
  }
  FileLines lines(view, files,
                  arguments.flag("long")     ? FileLines::Style::full
                  : arguments.flag("layers") ? FileLines::Style::layered
                                             : FileLines::Style::names);
  for (const PathId path : found) lines.add(path, shown_path(files, path));
  print(lines.take());
}

int run_find(const Arguments& arguments, const Environment& environment) {
  OneSide side(arguments, environment);
  const std::vector<std::string>& words = arguments.positional();
  with_context([&] { return cat("find ", printable(words.front())); },
               [&] {
                 const auto depth = arguments.number("maxdepth", 0, 100'000);
                 ImageView view(arguments, side, words.front());
                 (void)wanted_files(arguments, view);
                 const Filter filter(arguments, view);
                 const FoundPath top = find_path(arguments, view, words.size() > 1 ? words[1] : "/",
                                                 files::MergedFiles::Last::keep);
                 std::vector<PathId> found;
                 top.files->walk(top.path, [&](PathId path) {
                   const bool near =
                       !depth || depth_of(top.files->pool().paths, path, top.path) <= *depth;
                   if (near && filter.takes(*top.files, path)) found.push_back(path);
                   return true;
                 });
                 print_found(arguments, view, *top.files, found);
               });
  return 0;
}

/// Bytes below each directory; each content counts where it is met first.
class Sizes {
 public:
  Sizes(const files::MergedFiles& files, PathId top) : files_(files), top_(top) {
    std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
    files.walk(top, [&](PathId path) {
      order_.push_back(path);
      const FileRow& row = *files.at(path);
      const files::RowRef ref = files.ref_at(path);
      if (row.kind != FileKind::regular || row.size == 0) return true;
      if (!seen.emplace(ref.layer, ref.row).second) return true;
      bytes_[path] += row.size;
      for (PathId above = path; above != top;) {
        above = files.pool().paths.parent(above);
        bytes_[above] += row.size;
      }
      return true;
    });
  }

  template <typename Show>
  void show(const Arguments& arguments, const Show& show) const {
    const auto depth = arguments.number("max-depth", 0, 100'000);
    for (auto path = order_.rbegin(); path != order_.rend(); ++path) {
      const bool shown =
          *path == top_ ||
          (!arguments.flag("summarize") &&
           (arguments.flag("all") || files_.at(*path)->kind == FileKind::directory) &&
           (!depth || depth_of(files_.pool().paths, *path, top_) <= *depth));
      const auto bytes = bytes_.find(*path);
      if (shown) show(*path, bytes == bytes_.end() ? std::uint64_t{0} : bytes->second);
    }
  }

 private:
  const files::MergedFiles& files_;
  PathId top_;
  std::vector<PathId> order_;
  std::unordered_map<PathId, std::uint64_t> bytes_;
};

int run_du(const Arguments& arguments, const Environment& environment) {
  OneSide side(arguments, environment);
  const std::vector<std::string>& words = arguments.positional();
  with_context([&] { return cat("du ", printable(words.front())); },
               [&] {
                 ImageView view(arguments, side, words.front());
                 (void)wanted_files(arguments, view);
                 const FoundPath top = find_path(arguments, view, words.size() > 1 ? words[1] : "/",
                                                 files::MergedFiles::Last::follow);
                 const Sizes sizes(*top.files, top.path);
                 std::string out;
                 const bool json = arguments.flag("json");
                 sizes.show(arguments, [&](PathId path, std::uint64_t bytes) {
                   const std::string name = shown_path(*top.files, path);
                   if (json) {
                     out += cat(out.empty() ? "[" : ",\n", file_json(view, *top.files, path));
                     out.pop_back();
                     out += cat(",\"bytes\":", bytes, "}");
                   } else {
                     out += cat(arguments.flag("human") ? human_size(bytes) : cat(bytes), "\t",
                                printable(name), "\n");
                   }
                 });
                 print(json ? cat(out, "]\n") : out);
               });
  return 0;
}

}  // namespace

const VerbSpec kFindVerb = {
    .name = "find",
    .synopsis = "IMAGE [PATH]",
    .summary = "search the files of an image, without pulling it",
    .description =
        "Prints the files at and below PATH (by default /) in IMAGE that pass all of the tests "
        "given, which are named after those of find(1). Links are not followed below PATH.",
    .options = kFindGroups,
    .examples = kFindExamples,
    .min_positional = 1,
    .max_positional = 2,
    .run = run_find,
    .group = "Inspect",
};

const VerbSpec kDuVerb = {
    .name = "du",
    .synopsis = "IMAGE [PATH]",
    .summary = "show what takes the space in an image, without pulling it",
    .description =
        "Prints the bytes of the files at and below PATH (by default /) in IMAGE for each "
        "directory, the last ones first. Sizes are those of the content; a file with several names "
        "counts once.",
    .options = kDuGroups,
    .examples = kDuExamples,
    .min_positional = 1,
    .max_positional = 2,
    .run = run_du,
    .group = "Inspect",
};

}  // namespace lade::tools
