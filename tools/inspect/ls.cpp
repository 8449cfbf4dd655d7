// lade ls IMAGE [PATH], lade cat IMAGE PATH...
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

#include "tools/common/terminal.h"
#include "tools/inspect/image_view.h"
#include "tools/inspect/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 5> kLsOptions = {{
    {.name = "long",
     .letter = 'l',
     .help = "mode, owner, group, size, time and layer of each file"},
    {.name = "recursive", .letter = 'R', .help = "directories below as well"},
    {.name = "directory", .letter = 'd', .help = "PATH itself, not what it holds"},
    {.name = "layers", .help = "the number of the layer that each file comes from; 1 is the base"},
    {.name = "json", .help = "one JSON array of all files"},
}};
constexpr std::array<std::span<const OptionSpec>, 4> kLsGroups = {kLsOptions, kViewOptions,
                                                                  kRegistryOptions, kPlaceOptions};
constexpr std::array<std::string_view, 6> kLsExamples = {
    "What a remote image has in /etc, and from which layer",
    "lade ls -l docker://registry.example/app:1.0 /etc",
    "What the second layer changes",
    "lade ls -R --layer 2 app",
    "Every file with its digest, for a script",
    "lade ls -R --json oci:app:1.0",
};
constexpr std::array<std::span<const OptionSpec>, 3> kCatGroups = {kViewOptions, kRegistryOptions,
                                                                   kPlaceOptions};
constexpr std::array<std::string_view, 4> kCatExamples = {
    "A file of a remote image, without pulling it",
    "lade cat docker://registry.example/app:1.0 /etc/os-release",
    "As another platform has it",
    "lade cat --platform linux/arm64 docker://registry.example/app:1.0 /bin/app | file -",
};

class Lister {
 public:
  Lister(const Arguments& arguments, ImageView& view, const files::MergedFiles& files)
      : arguments_(arguments), view_(view), files_(files) {}

  void list(files::PathId top) {
    const bool whole =
        files_.at(top)->kind == files::FileKind::directory && !arguments_.flag("directory");
    if (arguments_.flag("json")) {
      list_json(top, whole);
    } else if (!whole) {
      print_lines({top}, true);
    } else if (!arguments_.flag("recursive")) {
      print_lines(files_.children(top), false);
    } else {
      list_all(top);
    }
  }

 private:
  [[nodiscard]] FileLines::Style style() const {
    if (arguments_.flag("long")) return FileLines::Style::full;
    return arguments_.flag("layers") ? FileLines::Style::layered : FileLines::Style::names;
  }

  void print_lines(const std::vector<files::PathId>& paths, bool whole_path) {
    FileLines lines(view_, files_, style());
    for (const files::PathId path : paths) {
      lines.add(path, whole_path ? shown_path(files_, path)
                                 : std::string(files_.pool().paths.name(path)));
    }
    print(lines.take());
  }

  void list_all(files::PathId top) {
    bool first = true;
    files_.walk(top, [&](files::PathId path) {
      if (files_.at(path)->kind != files::FileKind::directory) return true;
      print(cat(first ? "" : "\n", printable(shown_path(files_, path)), ":\n"));
      first = false;
      print_lines(files_.children(path), false);
      return true;
    });
  }

  void list_json(files::PathId top, bool whole) {
    std::string out = "[";
    const auto add = [&](files::PathId path) {
      out += out.size() == 1 ? "" : ",\n";
      out += file_json(view_, files_, path);
    };
    if (!whole) {
      add(top);
    } else if (arguments_.flag("recursive")) {
      files_.walk(top, [&](files::PathId path) {
        add(path);
        return true;
      });
    } else {
      for (const files::PathId path : files_.children(top)) add(path);
    }
    print(cat(out, "]\n"));
  }

  const Arguments& arguments_;
  ImageView& view_;
  const files::MergedFiles& files_;
};

int run_ls(const Arguments& arguments, const Environment& environment) {
  OneSide side(arguments, environment);
  const std::vector<std::string>& words = arguments.positional();
  with_context([&] { return cat("ls ", printable(words.front())); },
               [&] {
                 ImageView view(arguments, side, words.front());
                 (void)wanted_files(arguments, view);
                 const FoundPath found =
                     find_path(arguments, view, words.size() > 1 ? words[1] : "/",
                               arguments.flag("long") || arguments.flag("directory")
                                   ? files::MergedFiles::Last::keep
                                   : files::MergedFiles::Last::follow);
                 Lister(arguments, view, *found.files).list(found.path);
               });
  return 0;
}

void print_file(const Arguments& arguments, ImageView& view, const std::string& path) {
  const FoundPath found = find_path(arguments, view, path, files::MergedFiles::Last::follow);
  const files::FileRow& row = *found.files->at(found.path);
  if (row.kind != files::FileKind::regular) {
    throw Error(Errc::invalid_argument,
                cat(quoted(path), " is a ", kind_name(row), ", not a file"));
  }
  const files::RowRef ref = found.files->ref_at(found.path);
  if (!view.files->is_verified(ref)) {
    print_error(cat("lade: ", quoted(path),
                    ": its content is not verified: no digest in the image vouches for it\n"));
  }
  const std::unique_ptr<Source> content = view.files->open(ref);
  std::vector<std::byte> buffer(kChunkBytes);
  while (const std::size_t got = content->read(buffer)) {
    print(chars_of(ByteView(buffer).first(got)));
  }
}

int run_cat(const Arguments& arguments, const Environment& environment) {
  OneSide side(arguments, environment);
  const std::vector<std::string>& words = arguments.positional();
  with_context([&] { return cat("cat ", printable(words.front())); },
               [&] {
                 ImageView view(arguments, side, words.front());
                 for (std::size_t i = 1; i < words.size(); ++i)
                   print_file(arguments, view, words[i]);
               });
  return 0;
}

}  // namespace

const VerbSpec kLsVerb = {
    .name = "ls",
    .synopsis = "IMAGE [PATH]",
    .summary = "list the files of an image, without pulling it",
    .description =
        "Lists what PATH (by default /) holds in the file system that the layers of IMAGE make: "
        "whiteouts applied, links followed inside the image only.\n\n"
        "Layers that say where their files are (zstd:chunked, eStargz) are asked for that alone. "
        "Others are read once; an index of them is kept in the cache directory for the next "
        "time.\n\n"
        "With --layer one layer is shown as it is; what it deletes has a mode that begins with w.",
    .options = kLsGroups,
    .examples = kLsExamples,
    .min_positional = 1,
    .max_positional = 2,
    .run = run_ls,
    .group = "Inspect",
};

const VerbSpec kCatVerb = {
    .name = "cat",
    .synopsis = "IMAGE PATH...",
    .summary = "print files of an image, without pulling it",
    .description =
        "Prints the content of each PATH in IMAGE. Layers are looked at from the top down, and no "
        "layer below the one that answers is read; of seekable layers only the pieces that hold "
        "the "
        "file are.\n\n"
        "Content is verified by the digests that the image's documents vouch for. Where there is "
        "none (a table of contents without an annotation) a warning says so.",
    .options = kCatGroups,
    .examples = kCatExamples,
    .min_positional = 2,
    .max_positional = 1000,
    .run = run_cat,
    .group = "Inspect",
};

}  // namespace lade::tools
