#include "libimage/build/step_mounts.h"

#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/copy_source.h"
#include "libimage/build/environment.h"
#include "libimage/container/tree_copy.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

constexpr std::uint64_t kMaxSecretBytes = std::uint64_t{500} * 1024;  // BuildKit's bound

std::string kind_name(RunMount::Kind kind) {
  switch (kind) {
    case RunMount::Kind::bind:
      return "bind";
    case RunMount::Kind::cache:
      return "cache";
    case RunMount::Kind::tmpfs:
      return "tmpfs";
    case RunMount::Kind::secret:
      return "secret";
    case RunMount::Kind::ssh:
      return "ssh";
  }
  return {};
}

std::string target_of(const StageContext& stage, const RunMount& mount) {
  std::string target = stage.absolute(mount.target);
  if (clean_path(target).empty())
    throw Error(Errc::invalid_content, "--mount: the target is the root itself");
  if (cat("/", clean_path(target), "/").starts_with("/proc/"))  // CVE-2015-3630
    throw Error(Errc::invalid_content,
                cat("--mount: the target ", quoted(target), " is in the kernel's /proc"));
  return target;
}

/// The context that a bind shows; nullopt if it is a stage's or an image's tree.
std::optional<Contexts::Opened> context_of(StageContext& stage, const RunMount& mount) {
  if (mount.from.empty()) return stage.run().contexts().main();
  return stage.run().contexts().named(mount.from, stage.platform());
}

std::string secret_id(const RunMount& mount) {
  if (!mount.id.empty()) return mount.id;
  return base_name(mount.source.empty() ? mount.target : mount.source);
}

}  // namespace

void add_mounts(StepKey& key, StageContext& stage, const std::vector<RunMount>& mounts) {
  for (const RunMount& mount : mounts) {
    key.add(cat("mount ", kind_name(mount.kind), mount.readonly ? " ro" : " rw",
                mount.required ? " required" : ""));
    key.add(mount.target).add(mount.source).add(mount.environment);
    key.add(mount.size ? cat(*mount.size) : "");
    if (mount.kind == RunMount::Kind::secret || mount.kind == RunMount::Kind::ssh)
      key.add(mount.id);  // which one is looked at, not what it is; a cache's id is no input
    if (mount.kind != RunMount::Kind::bind) continue;
    if (const auto context = context_of(stage, mount)) {
      add_sources(key, context->files, match_sources(context->files, cat("/", mount.source)),
                  stage.run().jobs(), stage.stop());
    } else {
      const auto chain = stage.tree_of(mount.from).chain();
      const std::string tree = chain ? chain->value.str() : std::string("scratch");
      key.add(tree).note(cat("tree of ", mount.from), tree);
    }
  }
}

StepMounts::StepMounts(StageContext& stage, const std::vector<RunMount>& mounts) {
  for (const RunMount& mount : mounts) {
    with_context([&] { return cat("--mount=type=", kind_name(mount.kind)); },
                 [&] {
                   switch (mount.kind) {
                     case RunMount::Kind::bind:
                       return bind(stage, mount);
                     case RunMount::Kind::cache:
                       return cache(stage, mount);
                     case RunMount::Kind::tmpfs:
                       return tmpfs(stage, mount);
                     case RunMount::Kind::secret:
                       return secret(stage, mount);
                     case RunMount::Kind::ssh:
                       return agent(stage, mount);
                   }
                 });
  }
}

void StepMounts::add_to(sandbox::RuntimeConfig& step) const {
  step.mounts.insert(step.mounts.end(), mounts_.begin(), mounts_.end());
  for (const std::string& variable : variables_) {
    const std::size_t equals = variable.find('=');
    set_variable(step.process.env, variable.substr(0, equals), variable.substr(equals + 1));
  }
}

void StepMounts::bind(StageContext& stage, const RunMount& mount) {
  ShownPiece piece{.source = clean_path(mount.source), .destination = target_of(stage, mount)};
  LocalStore& store = stage.run().services().store;
  if (const auto context = context_of(stage, mount)) {
    piece.hidden = context->files.hidden();
    // As BuildKit, and as COPY has them. Somebody without root's rights is 0:0 there anyway.
    if (::geteuid() == 0 && context->files.has_other_owners(context->files.resolve(piece.source)))
      piece.owners = ShownPiece::Owners::root;
    const auto directory = real_path(context->path);
    if (!directory) throw_errno(cat("open ", quoted(context->path)));
    trees_.push_back(show_directory(store, *directory, piece));
  } else {
    trees_.push_back(show_root(store, stage.tree_of(mount.from), piece));
  }
  mounts_.push_back(trees_.back().mount);
  if (mount.readonly) mounts_.back().options.emplace_back("ro");
}

/// Has the cache begin as a piece of a context or of a tree; returns what names that content.
std::string StepMounts::seed_cache(StageContext& stage, const RunMount& mount,
                                   CacheMountOptions& options) {
  const std::string source = clean_path(mount.source);
  if (const auto context = context_of(stage, mount)) {
    BuildContext& files = context->files;
    StepKey content("seed of a cache");
    add_sources(content, files, match_sources(files, cat("/", mount.source)), stage.run().jobs(),
                stage.stop());
    options.seed = [&stage, &files, path = context->path, source](const DirFd& tree) {
      const auto directory = real_path(path);
      if (!directory) throw_errno(cat("open ", quoted(path)));
      ShownPiece piece{.source = source, .destination = "/", .hidden = files.hidden()};
      if (::geteuid() == 0) piece.owners = ShownPiece::Owners::root;
      const ShownTree copy = copied_directory(stage.run().services().store, *directory, piece);
      copy_tree(open_dir(proc_path(copy.piece.get())), tree);
    };
    return cat("context ", content.str());
  }
  const RootFs& from = stage.tree_of(mount.from);
  options.seed = [&from, source](const DirFd& tree) {
    const std::string whole = from.whole();
    if (whole.empty()) return;
    const DirFd root = open_dir(whole);
    copy_tree(DirFd(open_in_root(root, source.empty() ? "." : source, O_RDONLY | O_DIRECTORY)),
              tree);
  };
  const auto chain = from.chain();
  return cat(chain ? chain->value.str() : std::string("scratch"), " ", mount.source);
}

void StepMounts::cache(StageContext& stage, const RunMount& mount) {
  const std::string target = target_of(stage, mount);
  LocalStore& store = stage.run().services().store;
  CacheMountOptions options{.id = mount.id.empty() ? cat("/", clean_path(target)) : mount.id};
  if (mount.sharing == RunMount::Sharing::exclusive)
    options.sharing = CacheMountOptions::Sharing::exclusive;
  if (mount.sharing == RunMount::Sharing::locked)
    options.sharing = CacheMountOptions::Sharing::locked;
  options.mode = mount.mode.value_or(0755);
  options.owner = {mount.uid.value_or(0), mount.gid.value_or(0)};
  // As BuildKit: a cache that begins differently is another one.
  const auto add = [&](std::string_view name, std::string_view value) {
    options.id += cat(" ", name, "=", value);
  };
  if (mount.mode) add("mode", cat(*mount.mode));
  if (mount.uid) add("uid", cat(*mount.uid));
  if (mount.gid) add("gid", cat(*mount.gid));
  if (!mount.from.empty()) {
    add("from", seed_cache(stage, mount, options));
  } else if (!mount.source.empty()) {
    throw Error(Errc::invalid_content, "source belongs to from");
  }
  const bool given = mount.mode || mount.uid || mount.gid;
  if (options.seed && !given) options.owner.reset();
  caches_.push_back(store.cache_mount(options, stage.stop()));
  mounts_.push_back({.destination = target,
                     .type = "bind",
                     .source = caches_.back().path,
                     .options = {"bind", mount.readonly ? "ro" : "rw", "nosuid", "nodev"}});
}

void StepMounts::tmpfs(StageContext& stage, const RunMount& mount) {
  sandbox::Mount made{.destination = target_of(stage, mount),
                      .type = "tmpfs",
                      .source = "tmpfs",
                      .options = {"nosuid", "nodev"}};
  if (mount.size && *mount.size > 0) made.options.push_back(cat("size=", *mount.size));
  mounts_.push_back(std::move(made));
}

void StepMounts::secret(StageContext& stage, const RunMount& mount) {
  const std::string id = secret_id(mount);
  const auto& secrets = stage.run().options().secrets;
  const auto given = secrets.find(id);
  if (given == secrets.end()) {
    if (!mount.required) return;
    throw Error(Errc::not_found,
                cat("secret ", quoted(id), " is required: give it with --secret id=", printable(id),
                    ",src=FILE"));
  }
  const std::string content =
      given->second.file.empty()
          ? given->second.value
          : with_context([&] { return cat("secret ", quoted(id)); },
                         [&] { return read_file(given->second.file, kMaxSecretBytes); });
  if (content.size() > kMaxSecretBytes)
    throw Error(Errc::limit_exceeded, cat("secret ", quoted(id), " is larger than 500 KiB"));
  if (!mount.environment.empty()) {
    if (content.find('\0') != std::string::npos)
      throw Error(Errc::invalid_content, cat("secret ", quoted(id), " holds a NUL byte"));
    variables_.push_back(cat(mount.environment, "=", content));
    if (mount.target.empty()) return;
  }
  std::string mode = "0";  // octal
  for (std::uint32_t rest = mount.mode.value_or(0400); rest != 0; rest /= 8)
    mode.insert(mode.begin() + 1, static_cast<char>('0' + rest % 8));
  mounts_.push_back(
      {.destination =
           mount.target.empty() ? cat("/run/secrets/", base_name(id)) : target_of(stage, mount),
       .type = "content",
       .source = {},
       .options = {"ro", "nosuid", "nodev", "noexec", cat("mode=", mode),
                   cat("uid=", mount.uid.value_or(0)), cat("gid=", mount.gid.value_or(0))},
       .content = content});
}

void StepMounts::agent(StageContext& stage, const RunMount& mount) {
  const std::string id = mount.id.empty() ? "default" : mount.id;
  const auto& agents = stage.run().options().agents;
  const auto given = agents.find(id);
  if (given == agents.end()) {
    if (!mount.required) return;
    throw Error(Errc::not_found, cat("agent ", quoted(id), " is required: give it with --ssh ",
                                     printable(id), "=SOCKET or =KEY"));
  }
  if (!sockets_)
    sockets_ = std::make_unique<TempDir>(stage.run().services().store.temp_path(), "agents-");
  const std::string behind = agent_socket(stage, id, given->second);
  const std::string name = cat("socket-", proxies_.size());
  const std::string target = mount.target.empty() ? cat("/run/buildkit/ssh_agent.", proxies_.size())
                                                  : target_of(stage, mount);
  if (proxies_.empty() && !get_variable(stage.state().environment, "SSH_AUTH_SOCK"))
    variables_.push_back(cat("SSH_AUTH_SOCK=", target));
  mounts_.push_back({.destination = target,
                     .type = "bind",
                     .source = cat(sockets_->path(), "/", name),
                     .options = {"bind", "nosuid", "nodev", "noexec"}});
  proxies_.push_back(
      std::make_unique<SocketProxy>(sockets_->dir(), name, behind,
                                    SocketProxy::Looks{.mode = mount.mode.value_or(0600),
                                                       .uid = mount.uid.value_or(0),
                                                       .gid = mount.gid.value_or(0)}));
}

/// The agent itself: a socket, or one started for these key files.
std::string StepMounts::agent_socket(StageContext& stage, const std::string& id,
                                     const std::string& text) {
  std::vector<std::string> keys;
  for (const std::string_view word : split(text, ',')) {
    const std::string file(word);
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0)
      throw_errno(cat("agent ", quoted(id), ": open ", quoted(file)));
    if (S_ISSOCK(found.st_mode)) {
      if (word.size() != text.size())
        throw Error(Errc::invalid_argument,
                    cat("agent ", quoted(id), " is one socket, or files of keys"));
      return file;
    }
    if (!S_ISREG(found.st_mode))
      throw Error(Errc::invalid_argument,
                  cat("agent ", quoted(id), ": ", quoted(file), " is neither a socket nor a key"));
    keys.push_back(real_path(file).value_or(file));
  }
  if (!key_agents_) {
    const auto& programs = stage.run().options().program_environment;
    const auto path = programs.find("PATH");
    key_agents_ = std::make_unique<KeyAgents>(
        sockets_->path(), path == programs.end() ? "/usr/bin:/bin" : path->second);
  }
  return key_agents_->socket(keys);
}

}  // namespace lade::build
