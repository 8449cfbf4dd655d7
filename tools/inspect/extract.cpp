// lade extract IMAGE [PATH]
#include <array>
#include <exception>
#include <thread>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/files/write_tree.h"
#include "libimage/io/path.h"
#include "libimage/io/pipe.h"
#include "libimage/layer/apply_layer.h"

#include "tools/common/process.h"
#include "tools/common/terminal.h"
#include "tools/inspect/image_view.h"
#include "tools/inspect/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 2> kExtractOptions = {{
    {.name = "directory",
     .letter = 'C',
     .value = "DIR",
     .help = "write the files below this directory, which is made if it is missing"},
    {.name = "tar", .help = "write a tar to standard output"},
}};
constexpr std::array<std::span<const OptionSpec>, 4> kGroups = {kExtractOptions, kViewOptions,
                                                                kRegistryOptions, kPlaceOptions};
constexpr std::array<std::string_view, 4> kExamples = {
    "The configuration of a remote image, as out/etc/...",
    "lade extract docker://registry.example/app:1.0 /etc -C out",
    "The whole root file system as one tar",
    "lade extract --tar app > rootfs.tar",
};

class PrintingSink final : public Sink {
 public:
  void write(ByteView data) override { print(chars_of(data)); }
};

class PipeSink final : public Sink {
 public:
  explicit PipeSink(Pipe& pipe) : pipe_(pipe) {}
  void write(ByteView data) override { pipe_.write({data.begin(), data.end()}); }

 private:
  Pipe& pipe_;
};

/// Unpacks what `write` puts into its sink: by the code that unpacks layers, which leaves `root` by
/// no path whatever.
template <typename Write>
void unpack(const DirFd& root, const Write& write) {
  Pipe pipe;
  std::jthread writer([&] {
    try {
      PipeSink sink(pipe);
      BufferedSink buffered(sink);
      write(buffered);
      buffered.finish();
      pipe.close();
    } catch (...) {
      pipe.fail(std::current_exception());
    }
  });
  try {
    PipeSource tar(pipe);
    (void)apply_layer(
        root, tar, {.rights = process_uid() == 0 ? Rights::all : Rights::own, .whiteouts = false});
  } catch (...) {
    pipe.abandon(std::current_exception());
    throw;
  }
}

int run_extract(const Arguments& arguments, const Environment& environment) {
  const auto directory = arguments.value("directory");
  if (directory.has_value() == arguments.flag("tar")) {
    throw UsageError("say where to: --directory DIR or --tar");
  }
  if (!directory && is_terminal(Stream::output)) {
    throw UsageError("a tar is nothing for a terminal: send it to a file or a pipe");
  }
  OneSide side(arguments, environment);
  const std::vector<std::string>& words = arguments.positional();
  with_context(
      [&] { return cat("extract ", printable(words.front())); },
      [&] {
        ImageView view(arguments, side, words.front());
        const FoundPath top = find_path(arguments, view, words.size() > 1 ? words[1] : "/",
                                        files::MergedFiles::Last::follow);
        const bool all = top.files->at(top.path)->kind == files::FileKind::directory;
        // What lies in a directory, only all layers together know.
        const files::MergedFiles& files = all ? wanted_files(arguments, view) : *top.files;
        files::WrittenTree written;
        const auto write = [&](Sink& sink) {
          written = files::write_tree(*view.files, files, top.path, sink);
        };
        if (directory) {
          const DirFd root = create_dir(*directory);
          unpack(root, write);
        } else {
          PrintingSink sink;
          BufferedSink buffered(sink);
          write(buffered);
          buffered.finish();
        }
        if (written.left_out != 0) {
          print_error(
              cat("lade: ", written.left_out,
                  " names left out: what the layer deletes, and hard links to other layers\n"));
        }
      });
  return 0;
}

}  // namespace

const VerbSpec kExtractVerb = {
    .name = "extract",
    .synopsis = "IMAGE [PATH]",
    .summary = "write files of an image to a directory or a tar, without pulling it",
    .description =
        "Writes PATH (by default /) of IMAGE with all below it, at its place in the image: "
        "/etc/hosts becomes DIR/etc/hosts. Owners and devices need root; without, files belong to "
        "the caller.\n\n"
        "Nothing is written outside DIR, whatever the image holds.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 2,
    .run = run_extract,
    .group = "Inspect",
};

}  // namespace lade::tools
