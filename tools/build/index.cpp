// lade index create, add, remove, annotate: multi-platform indexes.
#include <array>
#include <map>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/copy.h"
#include "libimage/image/index_edit.h"
#include "libimage/name/platform.h"

#include "tools/build/verbs.h"
#include "tools/common/groups.h"
#include "tools/common/images.h"
#include "tools/common/policy.h"
#include "tools/common/progress.h"
#include "tools/common/signals.h"
#include "tools/common/terminal.h"

namespace lade::tools {
namespace {

using oci::Descriptor;

/// KEY=VALUE words of --annotation; KEY alone or KEY- removes.
image::AnnotationEdit annotations_of(const std::vector<std::string>& words) {
  image::AnnotationEdit edit;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos && word.size() > 1 && word.back() == '-') {
      edit.remove.push_back(word.substr(0, word.size() - 1));
    } else if (equals == std::string::npos || equals == 0) {
      throw UsageError(
          cat("option --annotation takes KEY=VALUE, or KEY- to remove one, not ", quoted(word)));
    } else {
      edit.set[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return edit;
}

/// One command on an index: the sessions, the index's place, and what was read from there.
class IndexCommand {
 public:
  IndexCommand(const Arguments& arguments, const Environment& environment)
      : arguments_(arguments),
        environment_(environment),
        stores_(environment),
        progress_(make_progress(arguments, environment)),
        source_session_(
            make_session(arguments, environment, Side::source, stop_.token(), progress_.get())),
        destination_session_(make_session(arguments, environment, Side::destination, stop_.token(),
                                          progress_.get())) {}

  [[nodiscard]] const std::string& name() const { return arguments_.positional().front(); }

  oci::Index read() {
    OpenedImage image = open_image(name(), *destination_session_, stores_);
    oci::Document document = image.reader->document(image.root);
    auto* index = std::get_if<oci::Index>(&document.parsed);
    if (index == nullptr) {
      throw Error(Errc::invalid_argument, cat(quoted(name()), " is a single image, not an index"));
    }
    return std::move(*index);
  }

  void open_destination_once() {
    if (destination_.writer == nullptr)
      destination_ = open_destination(name(), *destination_session_, stores_);
    if (!destination_.writer->accepts().indexes) {
      throw Error(Errc::unsupported, cat(quoted(name()), " cannot hold an index"));
    }
  }

  /// Copies `image_name` beside the index and returns the entries that stand for it: one for an
  /// image, all of an index's for an index.
  std::vector<Descriptor> bring(const std::string& image_name) {
    return with_context([&] { return printable(image_name); },
                        [&] { return bring_named(image_name); });
  }

  void write(const oci::Index& index) {
    open_destination_once();
    if (!destination_.tag) throw UsageError("an index is written under a tag, not under a digest");
    const std::string raw = oci::serialise(index);
    const Descriptor descriptor = oci::describe(
        index.media_type.empty() ? std::string(oci::kImageIndex) : index.media_type, raw);
    destination_.writer->put_manifest(descriptor, raw);
    destination_.writer->tag(*destination_.tag, descriptor);
    destination_.writer->finish();
    print(cat(descriptor.digest.str(), "\n"));
  }

 private:
  std::vector<Descriptor> bring_named(const std::string& image_name) {
    enforce_policy(image_name, environment_);
    open_destination_once();
    OpenedImage image = open_image(image_name, *source_session_, stores_);
    const oci::Document root = image.reader->document(image.root);
    std::vector<Descriptor> entries;
    if (const auto* index = std::get_if<oci::Index>(&root.parsed)) {
      entries = index->manifests;
    } else {
      entries.push_back(image::entry_for(*image.reader, image.root));
    }
    std::map<std::string, std::string> renamed;  // digests that a conversion changed
    for (Descriptor& entry : entries) {
      const Descriptor stored = copy_one(*image.reader, entry);
      renamed[entry.digest.str()] = stored.digest.str();
      entry.media_type = stored.media_type;
      entry.digest = stored.digest;
      entry.size = stored.size;
    }
    for (Descriptor& entry : entries) {
      if (!entry.annotations) continue;
      const auto about = entry.annotations->find("vnd.docker.reference.digest");
      if (about == entry.annotations->end()) continue;
      if (const auto found = renamed.find(about->second); found != renamed.end())
        about->second = found->second;
    }
    return entries;
  }

  Descriptor copy_one(Reader& reader, const Descriptor& root) {
    const CopyOptions options{.what = CopyOptions::What::all};
    // An entry of a type that we do not know may be anything: it is moved as it is.
    const bool known = oci::is_manifest(root.media_type) || oci::is_index(root.media_type);
    const CopyPlan plan = known ? plan_copy(reader, root, destination_.writer->accepts(), options)
                                : CopyPlan{.root = root, .blobs = {{.source = root}}};
    return run_copy(plan, reader, *destination_.writer, {}, options, *progress_, stop_.token())
        .root;
  }

  const Arguments& arguments_;
  const Environment& environment_;
  StopOnSignal stop_;
  Stores stores_;
  std::unique_ptr<ProgressObserver> progress_;
  std::unique_ptr<Session> source_session_;
  std::unique_ptr<Session> destination_session_;
  OpenedDestination destination_;
};

template <typename Body>
int in_context(std::string_view verb, const Arguments& arguments, const Body& body) {
  with_context([&] { return cat("index ", verb, " ", printable(arguments.positional().front())); },
               body);
  return 0;
}

int run_create(const Arguments& arguments, const Environment& environment) {
  return in_context("create", arguments, [&] {
    IndexCommand command(arguments, environment);
    oci::Index index = image::make_index({});
    const std::vector<std::string>& words = arguments.positional();
    for (std::size_t i = 1; i < words.size(); ++i) {
      for (Descriptor& entry : command.bring(words[i])) {
        index = image::with_entry(std::move(index), std::move(entry), image::SamePlatform::refuse);
      }
    }
    index =
        image::with_annotations(std::move(index), annotations_of(arguments.values("annotation")));
    command.write(index);
  });
}

int run_add(const Arguments& arguments, const Environment& environment) {
  return in_context("add", arguments, [&] {
    IndexCommand command(arguments, environment);
    oci::Index index = command.read();
    const std::vector<std::string>& words = arguments.positional();
    for (std::size_t i = 1; i < words.size(); ++i) {
      for (Descriptor& entry : command.bring(words[i])) {
        index = image::with_entry(std::move(index), std::move(entry), image::SamePlatform::replace);
      }
    }
    command.write(index);
  });
}

/// The entry that the user means by a digest, or by a platform that exactly one entry has.
Digest entry_named(const oci::Index& index, const std::string& word) {
  if (const auto digest = Digest::try_parse(word)) return *digest;
  const oci::Platform wanted = parse_platform(word);
  std::optional<Digest> found;
  for (const Descriptor& entry : index.manifests) {
    if (!entry.platform || normalised(*entry.platform) != wanted) continue;
    if (found)
      throw Error(Errc::invalid_argument,
                  cat("several entries are for ", quoted(word), "; name one by its digest"));
    found = entry.digest;
  }
  if (!found) throw Error(Errc::not_found, cat("no entry for ", quoted(word)));
  return *found;
}

int run_remove(const Arguments& arguments, const Environment& environment) {
  return in_context("remove", arguments, [&] {
    IndexCommand command(arguments, environment);
    oci::Index index = command.read();
    const std::vector<std::string>& words = arguments.positional();
    for (std::size_t i = 1; i < words.size(); ++i) {
      const Digest digest = entry_named(index, words[i]);
      index = image::without_entry(std::move(index), digest);
    }
    command.write(index);
  });
}

image::EntryEdit entry_edit(const Arguments& arguments) {
  image::EntryEdit edit{.annotations = annotations_of(arguments.values("annotation"))};
  edit.os = arguments.value("os");
  edit.architecture = arguments.value("arch");
  edit.variant = arguments.value("variant");
  edit.os_version = arguments.value("os-version");
  if (arguments.flag("os-features")) edit.os_features = arguments.values("os-features");
  return edit;
}

int run_annotate(const Arguments& arguments, const Environment& environment) {
  return in_context("annotate", arguments, [&] {
    IndexCommand command(arguments, environment);
    oci::Index index = command.read();
    if (arguments.flag("index")) {
      if (arguments.positional().size() != 1)
        throw UsageError("--index annotates the index itself: name no entry");
      for (const char* option : {"os", "arch", "variant", "os-version", "os-features"}) {
        if (arguments.flag(option))
          throw UsageError(cat("option --", option, " describes an entry, not the index"));
      }
      index =
          image::with_annotations(std::move(index), annotations_of(arguments.values("annotation")));
    } else {
      if (arguments.positional().size() != 2)
        throw UsageError("name the entry to annotate by digest or platform, or use --index");
      const Digest entry = entry_named(index, arguments.positional()[1]);
      index = image::with_edited_entry(std::move(index), entry, entry_edit(arguments));
    }
    command.write(index);
  });
}

constexpr std::array<OptionSpec, 1> kCreateOptions = {{
    {.name = "annotation",
     .value = "KEY=VALUE",
     .help = "an annotation of the index",
     .repeats = true},
}};
constexpr std::array<OptionSpec, 7> kAnnotateOptions = {{
    {.name = "annotation",
     .value = "KEY=VALUE",
     .help = "set an annotation; KEY- removes it",
     .repeats = true},
    {.name = "index", .help = "annotate the index itself, not an entry"},
    {.name = "os", .value = "OS", .help = "operating system of the entry"},
    {.name = "arch", .value = "ARCH", .help = "architecture of the entry"},
    {.name = "variant",
     .value = "VARIANT",
     .help = "variant of the entry's architecture; empty removes it"},
    {.name = "os-version",
     .value = "VERSION",
     .help = "version of the entry's operating system; empty removes it"},
    {.name = "os-features",
     .value = "FEATURE",
     .help = "a feature that the entry's operating system must have",
     .repeats = true},
}};
constexpr std::array<std::span<const OptionSpec>, 3> kCreateGroups = {
    kCreateOptions, kTwoSidedRegistryOptions, kProgressOptions};
constexpr std::array<std::span<const OptionSpec>, 2> kEditGroups = {kTwoSidedRegistryOptions,
                                                                    kProgressOptions};
constexpr std::array<std::span<const OptionSpec>, 3> kAnnotateGroups = {
    kAnnotateOptions, kTwoSidedRegistryOptions, kProgressOptions};

constexpr std::array<std::string_view, 4> kCreateExamples = {
    "Join two single-platform images in a registry",
    "lade index create docker://registry.example/app:1.0 docker://registry.example/app:amd64 "
    "docker://registry.example/app:arm64",
    "The same in a layout directory, from archives",
    "lade index create oci:app:1.0 oci-archive:amd64.tar oci-archive:arm64.tar",
};
constexpr std::array<std::string_view, 2> kAddExamples = {
    "Add a platform to an index", "lade index add oci:app:1.0 docker-archive:riscv64.tar"};
constexpr std::array<std::string_view, 2> kRemoveExamples = {
    "Drop a platform from an index", "lade index remove oci:app:1.0 linux/riscv64"};
constexpr std::array<std::string_view, 4> kAnnotateExamples = {
    "Say which variant an entry is for",
    "lade index annotate --variant v7 oci:app:1.0 linux/arm",
    "Annotate the index itself",
    "lade index annotate --index --annotation org.opencontainers.image.version=1.0 oci:app:1.0",
};
constexpr std::size_t kMostImages = 1000;

}  // namespace

const VerbSpec kIndexCreateVerb = {
    .name = "index create",
    .synopsis = "NAME IMAGE...",
    .summary = "make a multi-platform index from images",
    .description =
        "Makes an index called NAME that lists each IMAGE, and copies the images beside it. "
        "Platforms are taken from the images' "
        "configs; an IMAGE that is an index contributes its entries. Two images for one platform "
        "are refused. Prints the index's "
        "digest.",
    .options = kCreateGroups,
    .examples = kCreateExamples,
    .min_positional = 1,
    .max_positional = kMostImages,
    .run = run_create,
    .group = "Build",
};

const VerbSpec kIndexAddVerb = {
    .name = "index add",
    .synopsis = "NAME IMAGE...",
    .summary = "add images to an index",
    .description =
        "Adds each IMAGE to the index NAME and copies it beside the index. An entry for the same "
        "platform is replaced. Prints the "
        "new index's digest.",
    .options = kEditGroups,
    .examples = kAddExamples,
    .min_positional = 2,
    .max_positional = kMostImages,
    .run = run_add,
    .group = "Build",
};

const VerbSpec kIndexRemoveVerb = {
    .name = "index remove",
    .synopsis = "NAME ENTRY...",
    .summary = "remove entries from an index",
    .description =
        "Removes each ENTRY, named by its digest or its platform, from the index NAME, together "
        "with the attestations about it. The "
        "images themselves stay where they are. Prints the new index's digest.",
    .options = kEditGroups,
    .examples = kRemoveExamples,
    .min_positional = 2,
    .max_positional = kMostImages,
    .run = run_remove,
    .group = "Build",
};

const VerbSpec kIndexAnnotateVerb = {
    .name = "index annotate",
    .synopsis = "NAME [ENTRY]",
    .summary = "change annotations and platforms in an index",
    .description =
        "Changes annotations and the platform of ENTRY, named by its digest or its platform, in "
        "the index NAME; with --index, the "
        "annotations of the index itself. Prints the new index's digest.",
    .options = kAnnotateGroups,
    .examples = kAnnotateExamples,
    .min_positional = 1,
    .max_positional = 2,
    .run = run_annotate,
    .group = "Build",
};

}  // namespace lade::tools
