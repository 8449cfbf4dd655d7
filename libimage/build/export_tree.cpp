#include "libimage/build/export_tree.h"

#include <set>
#include <thread>

#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/attestation.h"
#include "libimage/compress/codec.h"
#include "libimage/io/path.h"
#include "libimage/io/pipe.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/layer/snapshot.h"

namespace lade::build {
namespace {

bool is_split(const BuildResult& result, const ExportOptions& options) {
  return options.platform_split.value_or(result.images.size() > 1);
}

/// "linux_arm_v7", as BuildKit names the directories.
std::string directory_of(const oci::Platform& platform) {
  std::string name = cat(platform.os, "_", platform.architecture);
  if (!platform.variant.empty()) name += cat("_", platform.variant);
  return name;
}

std::string joined(const std::string& directory, const std::string& path) {
  if (directory.empty()) return path;
  return path.empty() ? directory : cat(directory, "/", path);
}

std::vector<LayerEntry> attestation_entries(const BuildResult& result, const BuiltImage& image,
                                            const ExportOptions& options) {
  std::vector<std::string> names;
  for (const std::string& name : result.names) names.push_back(image_url(name, image.platform));
  std::vector<LayerEntry> out;
  for (const Attestation& attestation : image.attestations) {
    auto text = std::make_shared<const std::string>(
        statement(attestation, names, image.manifest.descriptor.digest));
    LayerEntry entry{.path = clean_path(cat(options.attestation_prefix, attestation.file_name)),
                     .attributes = {.mode = 0644, .size = text->size()},
                     .content = {.text = std::move(text)}};
    entry.attributes.mtime = parse_rfc3339(image.config.created).value_or(Timestamp{});
    out.push_back(std::move(entry));
  }
  return out;
}

/// Everything in the image's tree, in the order of its paths; the root itself first.
std::vector<LayerEntry> entries_of(LocalStore& store, const BuiltImage& image) {
  const std::unique_ptr<LocalStore::Workspace> empty = store.workspace();
  const std::string path = image.root.whole();
  if (path.empty()) return {};
  const auto tree = std::make_shared<const DirFd>(open_dir(path));
  return diff({}, capture(*tree), open_dir(empty->fs_path()), tree);
}

/// All entries of the result, each path once.
std::vector<LayerEntry> all_entries(LocalStore& store, const BuildResult& result,
                                    const ExportOptions& options) {
  std::vector<LayerEntry> out;
  std::set<std::string> seen;
  const auto add = [&](const std::string& directory, LayerEntry entry) {
    entry.path = joined(directory, entry.path);
    if (!entry.link_to.empty()) entry.link_to = joined(directory, entry.link_to);
    if (entry.path.empty()) return;  // the directory that the user named
    if (!seen.insert(entry.path).second) {
      if (entry.attributes.type == FileType::directory) return;
      throw Error(Errc::invalid_argument,
                  cat("two files of the result are ", quoted(entry.path),
                      ": images for several platforms need platform-split"));
    }
    out.push_back(std::move(entry));
  };
  for (const BuiltImage& image : result.images) {
    const std::string directory = is_split(result, options) ? directory_of(image.platform) : "";
    if (!directory.empty())
      add("", {.path = directory, .attributes = {.type = FileType::directory, .mode = 0755}});
    for (LayerEntry& entry : entries_of(store, image)) add(directory, std::move(entry));
    for (LayerEntry& entry : attestation_entries(result, image, options))
      add(directory, std::move(entry));
  }
  return out;
}

ApplyOptions apply_options() { return {.rights = rights_in_store()}; }

/// Straight from the layers into an empty directory.
void apply_layers(LocalStore& store, const BuiltImage& image, const DirFd& root,
                  const std::stop_token& stop) {
  for (const RootFsLayer& layer : image.root.layers()) {
    if (stop.stop_requested()) throw Cancelled();
    const std::unique_ptr<Source> tar = decompressed(store.images().open(layer.blob));
    const ApplyResult applied = apply_layer(root, *tar, apply_options());
    if (applied.diff_id != layer.diff_id)
      throw Error(Errc::digest_mismatch,
                  cat("layer ", layer.blob.digest.str(), " has diff ID ",
                      applied.diff_id.value.str(), ", not ", layer.diff_id.value.str()));
  }
}

/// `entries` over what is in `root`: as a tar, so that one writer of files knows what may happen to
/// links on the way.
void apply_entries(const std::vector<LayerEntry>& entries, const DirFd& root) {
  Pipe pipe;
  PipeSource source(pipe);
  ApplyOptions options = apply_options();
  options.whiteouts = false;
  std::exception_ptr read_failure;
  std::exception_ptr write_failure;
  {
    const std::jthread reader([&] {
      try {
        apply_layer(root, source, options);
      } catch (...) {
        read_failure = std::current_exception();
        pipe.abandon(read_failure);
      }
    });
    struct PipeSink final : Sink {
      explicit PipeSink(Pipe& to) : pipe(to) {}
      void write(ByteView data) override { pipe.write({data.begin(), data.end()}); }
      Pipe& pipe;
    } sink(pipe);
    try {
      write_tar(entries, sink, {});
      pipe.close();
    } catch (...) {
      write_failure = std::current_exception();
      pipe.fail(write_failure);
    }
  }
  if (read_failure) std::rethrow_exception(read_failure);
  if (write_failure) std::rethrow_exception(write_failure);
}

}  // namespace

void export_directory(LocalStore& store, const BuildResult& result, const std::string& path,
                      const ExportOptions& options, const std::stop_token& stop) {
  (void)create_dir(path);
  const DirFd root = open_dir(path);
  if (!list_names(root).empty() || (result.images.size() > 1 && !is_split(result, options))) {
    apply_entries(all_entries(store, result, options), root);
    return;
  }
  for (const BuiltImage& image : result.images) {
    const std::string directory =
        is_split(result, options) ? cat(path, "/", directory_of(image.platform)) : path;
    (void)create_dir(directory);
    const DirFd inside = open_dir(directory);
    apply_layers(store, image, inside, stop);
    apply_entries(attestation_entries(result, image, options), inside);
  }
}

void export_tar(LocalStore& store, const BuildResult& result, Sink& out,
                const ExportOptions& options) {
  write_tar(all_entries(store, result, options), out, {});
}

}  // namespace lade::build
