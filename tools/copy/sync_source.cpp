// Which images a sync is about.
#include <algorithm>
#include <filesystem>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/sync_config.h"
#include "libimage/config/yaml.h"
#include "libimage/io/path.h"
#include "libimage/task/run_graph.h"
#include "libimage/transports/registry.h"
#include "libimage/transports/transports.h"

#include "tools/copy/sync.h"

namespace lade::tools {
namespace {

namespace fs = std::filesystem;

// Names are held: a mirror of more is split by its owner.
constexpr std::size_t kMaxImages = 2'000'000;
constexpr std::size_t kMaxDirectories = 1'000'000;

std::string repository_name(const Reference& reference) {
  return cat(reference.registry, "/", reference.repository);
}

ImageName docker_image(const Reference& repository, const TagOrDigest& which) {
  const bool is_digest = std::holds_alternative<Digest>(which);
  return {.transport = "docker",
          .rest = cat(repository_name(repository), is_digest ? "@" : ":", to_string(which))};
}

void list_tags(SyncRepository& repository, const Reference& reference, const TagFilter& filter) {
  visit_tags(reference.registry, reference.repository, *repository.session, {},
             [&](const std::string& tag) {
               if (!filter.keeps(tag)) return true;
               if (repository.images.size() == kMaxImages) {
                 throw Error(Errc::limit_exceeded, cat("more than ", kMaxImages, " tags"));
               }
               repository.images.push_back(docker_image(reference, Tag{tag}));
               return true;
             });
}

SyncRepository docker_source(const SyncSource& source, Session& session) {
  std::string_view name = source.name;
  constexpr std::string_view kPrefix = "docker://";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  const Reference reference = Reference::parse(name);
  SyncRepository repository{.name = cat("docker://", repository_name(reference)),
                            .session = &session};
  if (reference.digest) {
    repository.images.push_back(docker_image(reference, *reference.digest));
  } else if (reference.tag) {
    repository.images.push_back(docker_image(reference, *reference.tag));
  } else {
    list_tags(repository, reference, source.filter);
  }
  return repository;
}

/// Every directory with a manifest.json, in order; what is below one belongs to it.
SyncRepository dir_source(const std::string& path, Session& session) {
  SyncRepository repository{.name = cat("dir:", path), .directory = path, .session = &session};
  if (!fs::is_directory(path)) {
    throw Error(Errc::not_found, cat(lade::quoted(path), " is no directory"));
  }
  std::vector<std::string> pending = {path};
  std::size_t seen = 0;
  while (!pending.empty()) {
    const std::string directory = std::move(pending.back());
    pending.pop_back();
    if (++seen > kMaxDirectories) {
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxDirectories, " directories"));
    }
    if (fs::exists(directory + "/manifest.json")) {
      repository.images.push_back({.transport = "dir", .rest = directory});
      continue;
    }
    for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
      if (!entry.is_symlink() && entry.is_directory()) pending.push_back(entry.path().string());
    }
  }
  std::sort(repository.images.begin(), repository.images.end(),
            [](const ImageName& a, const ImageName& b) { return a.rest < b.rest; });
  return repository;
}

SyncRepository oci_source(const std::string& name, Session& session) {
  const PathAndReference parts = split_path_reference(name);
  SyncRepository repository{.name = cat("oci:", parts.path), .session = &session};
  if (!parts.reference.empty()) {
    repository.images.push_back({.transport = "oci", .rest = name});
    return repository;
  }
  const OpenedReader opened = open_reader({.transport = "oci", .rest = parts.path}, session);
  for (const std::string& tag : opened.reader->tags().value_or(std::vector<std::string>())) {
    repository.images.push_back({.transport = "oci", .rest = cat(parts.path, ":", tag)});
  }
  return repository;
}

/// One repository of a YAML file, to be listed or not.
struct ListingTask {
  SyncRepository repository;
  Reference reference;
  std::optional<TagFilter> filter = {};
  std::optional<Error> failure = {};
};

/// The options of a registry's section over those of the command line.
std::unique_ptr<Session> session_of(const SyncRegistry& registry, const Session& base) {
  SessionOptions options = base.options();
  if (registry.tls_verify) {
    options.tls_verify =
        *registry.tls_verify ? SessionOptions::TlsVerify::yes : SessionOptions::TlsVerify::no;
  }
  if (!registry.cert_dir.empty()) options.cert_dir = registry.cert_dir;
  if (registry.credentials) {
    options.given_credentials = Credentials{.username = registry.credentials->username,
                                            .password = registry.credentials->password,
                                            .identity_token = registry.credentials->identity_token};
  }
  return std::make_unique<Session>(std::move(options));
}

class FileReader {
 public:
  FileReader(SyncSet& set, const Session& base) : set_(set), base_(base) {}

  void add(const SyncRegistry& registry) {
    const bool own_options =
        registry.tls_verify || registry.credentials || !registry.cert_dir.empty();
    Session* session = nullptr;
    if (own_options) {
      set_.sessions.push_back(session_of(registry, base_));
      session = set_.sessions.back().get();
    }
    if (registry.images.empty() && registry.images_by_tag_regex.empty() &&
        registry.images_by_semver.empty()) {
      set_.warnings.push_back(cat("no images are named for ", lade::quoted(registry.name)));
    }
    for (const auto& entry : registry.images) {
      begin(registry, entry.first, session, [&](ListingTask& task) {
        if (entry.second.empty()) task.filter.emplace();
        for (const std::string& word : entry.second) add_reference(task, word);
      });
    }
    for (const auto& entry : registry.images_by_tag_regex) {
      begin(registry, entry.first, session, [&](ListingTask& task) {
        task.filter = TagFilter{.include = {Pattern(entry.second, Pattern::Match::anywhere)}};
      });
    }
    for (const auto& entry : registry.images_by_semver) {
      begin(registry, entry.first, session, [&](ListingTask& task) {
        task.filter = TagFilter{
            .ranges = {SemverRange::parse(entry.second, SemverRange::Prereleases::of_any_version)}};
      });
    }
  }

  [[nodiscard]] std::vector<ListingTask>& tasks() noexcept { return tasks_; }

 private:
  template <typename Fill>
  void begin(const SyncRegistry& registry, const std::string& name, Session* session,
             const Fill& fill) {
    const std::string full = cat(registry.name, "/", name);
    try {
      ListingTask task{.repository = {.name = cat("docker://", full), .session = session},
                       .reference = Reference::parse(full)};
      if (task.reference.tag || task.reference.digest) {
        throw Error(Errc::invalid_argument, "it names an image, not a repository");
      }
      fill(task);
      tasks_.push_back(std::move(task));
    } catch (const Error& e) {
      set_.failures.push_back({.name = full, .error = e});
    }
  }

  static void add_reference(ListingTask& task, const std::string& word) {
    if (const auto digest = Digest::try_parse(word)) {
      task.repository.images.push_back(docker_image(task.reference, *digest));
    } else if (is_tag(word)) {
      task.repository.images.push_back(docker_image(task.reference, Tag{word}));
    } else {
      throw Error(Errc::invalid_argument,
                  cat(lade::quoted(word), " is neither a tag nor a digest"));
    }
  }

  SyncSet& set_;
  const Session& base_;
  std::vector<ListingTask> tasks_;
};

SyncSet yaml_source(const SyncSource& source, Session& session, unsigned jobs,
                    const std::stop_token& stop) {
  const std::string& path = source.name;
  const SyncConfig config =
      with_context([&] { return lade::quoted(path); },
                   [&] { return SyncConfig::parse(read_file(path, kMaxYamlBytes)); });
  SyncSet set;
  for (const std::string& unknown : config.unknown) {
    set.warnings.push_back(cat(lade::quoted(path), ": unknown key ", unknown));
  }
  FileReader reader(set, session);
  for (const SyncRegistry& registry : config.registries) reader.add(registry);
  const auto list = [&](std::size_t i) {
    ListingTask& task = reader.tasks()[i];
    if (task.repository.session == nullptr) task.repository.session = &session;
    if (!task.filter) return;
    task.filter->omit_digest_tags = source.filter.omit_digest_tags;
    try {
      list_tags(task.repository, task.reference, *task.filter);
    } catch (const Error& e) {
      task.failure = e;
    }
  };
  parallel_for(reader.tasks().size(), jobs, list, stop);
  for (ListingTask& task : reader.tasks()) {
    if (task.failure) {
      set.failures.push_back({.name = task.repository.name, .error = *task.failure});
    } else if (task.repository.images.empty()) {
      set.warnings.push_back(cat("no tags to sync in ", printable(task.repository.name)));
    } else {
      set.repositories.push_back(std::move(task.repository));
    }
  }
  return set;
}

}  // namespace

SyncSet find_sync_images(const SyncSource& source, Session& session, unsigned jobs,
                         const std::stop_token& stop) {
  if (source.transport == "yaml") return yaml_source(source, session, jobs, stop);
  SyncSet set;
  if (source.transport == "docker") {
    set.repositories.push_back(docker_source(source, session));
  } else if (source.transport == "dir") {
    set.repositories.push_back(dir_source(source.name, session));
  } else if (source.transport == "oci") {
    set.repositories.push_back(oci_source(source.name, session));
  } else {
    throw Error(Errc::invalid_argument,
                cat(lade::quoted(source.transport), " is not a valid source transport"));
  }
  if (set.repositories.front().images.empty()) {
    throw Error(Errc::not_found, cat("no images to sync found in ", lade::quoted(source.name)));
  }
  return set;
}

}  // namespace lade::tools
