#include "tools/run/run_mounts.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/run_mount.h"
#include "libimage/io/path.h"

namespace lade::tools {
namespace {

using sandbox::Mount;

std::string destination_of(std::string_view option, std::string_view path) {
  const std::string clean = clean_path(path);
  if (!path.starts_with('/') || clean.empty())
    throw UsageError(
        cat("option --", option, ": ", quoted(path), " is no absolute path below the root"));
  return cat("/", clean);
}

/// One --mount while it is read.
struct MountWords {
  std::string type = "volume";
  std::string source = {};
  std::string target = {};
  bool readonly = false;
  std::vector<std::string> of_tmpfs = {};
  std::string bind_only = {};  ///< a key that only binds have
};

void take_word(MountWords& words, const std::string& key, const std::string& value) {
  if (key == "type") {
    words.type = value;
  } else if (key == "source" || key == "src") {
    words.source = value;
  } else if (key == "target" || key == "dst" || key == "destination") {
    words.target = destination_of("mount", value);
  } else if (key == "readonly" || key == "ro") {
    words.readonly = read_truth("mount", key, value);
  } else if (key == "rw") {
    words.readonly = !read_truth("mount", key, value);
  } else if (key == "tmpfs-size") {
    words.of_tmpfs.push_back(cat("size=", build::parse_byte_count(value)));
  } else if (key == "tmpfs-mode") {
    if (value.empty() || value.find_first_not_of("01234567") != std::string::npos)
      throw UsageError(cat("option --mount: tmpfs-mode is octal, not ", quoted(value)));
    words.of_tmpfs.push_back(cat("mode=", value));
  } else if (key == "bind-propagation") {
    if (value != "private" && value != "rprivate")
      throw Error(Errc::unsupported,
                  cat("option --mount: bind-propagation ", quoted(value), " is not implemented"));
    words.bind_only = key;
  } else {
    throw UsageError(cat("option --mount: unknown key ", quoted(key)));
  }
}

Mount mount_of(const std::string& text) {
  MountWords words;
  for (const std::string_view field : split(text, ',')) {
    const std::size_t equals = field.find('=');
    take_word(words, std::string(field.substr(0, equals)),
              equals == std::string_view::npos ? "" : std::string(field.substr(equals + 1)));
  }
  if (words.target.empty())
    throw UsageError(cat("option --mount ", quoted(text), " has no target"));
  if (words.type == "tmpfs") {
    if (!words.source.empty() || !words.bind_only.empty())
      throw UsageError(cat("option --mount ", quoted(text), ": a tmpfs has no ",
                           words.source.empty() ? words.bind_only : std::string("source")));
    words.of_tmpfs.insert(words.of_tmpfs.begin(), {"nosuid", "nodev"});
    if (words.readonly) words.of_tmpfs.emplace_back("ro");
    return {.destination = words.target,
            .type = "tmpfs",
            .source = "tmpfs",
            .options = std::move(words.of_tmpfs)};
  }
  if (words.type != "bind")
    throw Error(Errc::unsupported, cat("option --mount: type ", quoted(words.type),
                                       " is not implemented: bind and tmpfs are"));
  if (!words.of_tmpfs.empty())
    throw UsageError(cat("option --mount ", quoted(text), ": a bind has no size and no mode"));
  if (!words.source.starts_with('/') || !real_path(words.source))
    throw UsageError(cat("option --mount: there is no ", quoted(words.source)));
  return {.destination = words.target,
          .type = "bind",
          .source = words.source,
          .options = {"rbind", words.readonly ? "ro" : "rw", "nosuid", "nodev"}};
}

Mount tmpfs_of(const std::string& text) {
  const std::size_t colon = text.find(':');
  Mount mount{.destination = destination_of("tmpfs", text.substr(0, colon)),
              .type = "tmpfs",
              .source = "tmpfs",
              .options = {"nosuid", "nodev", "noexec"}};
  if (colon == std::string::npos) return mount;
  for (const std::string_view option : split(std::string_view(text).substr(colon + 1), ','))
    mount.options.emplace_back(option);
  return mount;
}

}  // namespace

std::vector<Mount> read_mounts(const Arguments& arguments) {
  std::vector<Mount> mounts;
  for (const std::string& text : arguments.values("mount")) mounts.push_back(mount_of(text));
  for (const std::string& text : arguments.values("tmpfs")) mounts.push_back(tmpfs_of(text));
  return mounts;
}

void add_mounts(sandbox::RuntimeConfig& step, std::size_t first, std::vector<Mount> mounts) {
  step.mounts.insert(step.mounts.end(), std::make_move_iterator(mounts.begin()),
                     std::make_move_iterator(mounts.end()));
  const auto begin = step.mounts.begin() + static_cast<std::ptrdiff_t>(first);
  const auto depth = [](const Mount& mount) {
    return std::count(mount.destination.begin(), mount.destination.end(), '/');
  };
  std::stable_sort(begin, step.mounts.end(),
                   [&](const Mount& a, const Mount& b) { return depth(a) < depth(b); });
  for (auto at = begin; at != step.mounts.end(); ++at) {
    const bool twice = std::any_of(
        begin, at, [&](const Mount& other) { return other.destination == at->destination; });
    if (twice) throw UsageError(cat("two mounts are to be at ", quoted(at->destination)));
  }
}

std::vector<ShownTree> add_image_volumes(LocalStore& store, build::StoredImage& image,
                                         sandbox::RuntimeConfig& step, std::size_t first) {
  std::vector<ShownTree> trees;
  std::vector<Mount> mounts;
  for (const std::string& volume : image.config.volumes) {
    const std::string path = clean_path(volume);
    const std::string destination = cat("/", path);
    const bool covered =
        std::any_of(step.mounts.begin() + static_cast<std::ptrdiff_t>(first), step.mounts.end(),
                    [&](const Mount& mount) { return mount.destination == destination; });
    if (path.empty() || covered) continue;
    const std::string inside = image.root.resolve(path);
    const auto found = image.root.lookup(inside);
    if (found && found->type != FileType::directory) continue;
    if (found) {
      trees.push_back(show_root(store, image.root, {.source = inside, .destination = destination}));
      mounts.push_back(trees.back().mount);
    } else {
      mounts.push_back({.destination = destination,
                        .type = "tmpfs",
                        .source = "tmpfs",
                        .options = {"nosuid", "nodev", "mode=755"}});
    }
  }
  add_mounts(step, first, std::move(mounts));
  return trees;
}

}  // namespace lade::tools
