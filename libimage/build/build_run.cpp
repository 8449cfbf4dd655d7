#include "libimage/build/build_run.h"

#include <algorithm>
#include <thread>

#include <fcntl.h>

#include "libimage/base/text.h"
#include "libimage/build/globals.h"
#include "libimage/io/atomic_file.h"
#include "libimage/name/platform.h"

namespace lade::build {
namespace {

constexpr std::uint64_t kMaxHostFileBytes = std::uint64_t{1} << 20U;

std::optional<std::string> try_read_in_root(const DirFd& root, const std::string& path,
                                            std::uint64_t limit) {
  UniqueFd fd = try_open_in_root(root, path, O_RDONLY | O_NONBLOCK);
  if (!fd) {
    const int error = errno;
    if (error != ENOENT && error != ENOTDIR) throw_errno(cat("open ", quoted(path)), error);
    // A link that leads nowhere is no absent file: without an ignore file more would be copied.
    if (try_open_in_root(root, path, O_PATH | O_NOFOLLOW))
      throw Error(Errc::invalid_argument,
                  cat(quoted(path), " is a link to what is not in its directory"));
    return std::nullopt;
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno(cat("stat ", quoted(path)));
  if (!S_ISREG(status.st_mode))
    throw Error(Errc::invalid_argument, cat(quoted(path), " is not a regular file"));
  FdSource source(std::move(fd), path);
  return read_all(source, limit, quoted(path));
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

struct IgnoreFile {
  IgnoreList list = {};
  std::string name = {};
};

IgnoreFile read_ignore_file(const BuildOptions& options, const std::string& containerfile_path,
                            const DirFd& context) {
  const auto parsed = [](const std::string& name, const std::string& text) {
    return with_context([&] { return cat("read ", quoted(name)); },
                        [&] {
                          return IgnoreFile{IgnoreList::parse(text), name};
                        });
  };
  if (!options.ignore_file.empty())
    return parsed(options.ignore_file, read_file(options.ignore_file, IgnoreList::kMaxBytes));
  if (!containerfile_path.empty()) {
    // Nobody named this file, and the directory may be somebody else's: its links stay inside.
    const std::size_t slash = containerfile_path.rfind('/');
    const bool bare = slash == std::string::npos;
    const DirFd directory = open_dir(bare ? "." : containerfile_path.substr(0, slash + 1));
    for (const std::string_view suffix : {".dockerignore", ".containerignore"}) {
      const std::string name = cat(containerfile_path.substr(bare ? 0 : slash + 1), suffix);
      if (const auto text = try_read_in_root(directory, name, IgnoreList::kMaxBytes))
        return parsed(cat(containerfile_path, suffix), *text);
    }
  }
  for (const std::string name : {".containerignore", ".dockerignore"}) {
    if (const auto text = try_read_in_root(context, name, IgnoreList::kMaxBytes))
      return parsed(name, *text);
  }
  return {};
}

/// Nameservers on the host's loopback are out of reach from another network.
std::string without_loopback_servers(std::string_view text) {
  std::string out;
  for (const std::string_view line : split(text, '\n')) {
    const auto words = split(trimmed(line), ' ');
    const bool server = words.size() >= 2 && words[0] == "nameserver";
    if (server && (words[1].starts_with("127.") || words[1] == "::1")) continue;
    out.append(line).push_back('\n');
  }
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace

ContainerfileText read_containerfile(const BuildOptions& options) {
  if (options.containerfile_text)
    return {.name = "Containerfile", .path = {}, .text = *options.containerfile_text};
  if (!options.containerfile.empty()) {
    std::string path = options.containerfile;
    const std::string in_context = cat(options.context, "/", options.containerfile);
    if (!exists(path) && !path.starts_with('/') && !options.context.empty() && exists(in_context))
      path = in_context;
    return {.name = options.containerfile,
            .path = path,
            .text = read_file(path, kMaxContainerfileBytes)};
  }
  if (options.context.empty())
    throw Error(Errc::invalid_argument, "a build needs a context or a Containerfile");
  const DirFd context = open_dir(options.context);
  for (const std::string name : {"Containerfile", "Dockerfile"}) {
    if (auto text = try_read_in_root(context, name, kMaxContainerfileBytes))
      return {.name = name, .path = cat(options.context, "/", name), .text = std::move(*text)};
  }
  throw Error(Errc::not_found,
              cat("there is no Containerfile or Dockerfile in ", quoted(options.context)));
}

BuildRun::BuildRun(const BuildOptions& options, const BuildServices& services, Containerfile file)
    : options_(options),
      services_(services),
      file_(std::move(file)),
      epoch_(options.timestamp ? options.timestamp : options.source_date_epoch),
      jobs_(options.jobs != 0 ? options.jobs : std::max(1U, std::thread::hardware_concurrency())) {
  const auto argument = options.build_args.find("SOURCE_DATE_EPOCH");
  if (!epoch_ && argument != options.build_args.end() && !argument->second.empty()) {
    const auto seconds = parse_decimal(argument->second);
    if (!seconds || *seconds > 253402300799U)  // the year 9999: what RFC 3339 can say
      throw Error(Errc::invalid_argument,
                  cat("SOURCE_DATE_EPOCH ", quoted(argument->second), " is not a time in seconds"));
    epoch_ = Timestamp{.seconds = static_cast<std::int64_t>(*seconds)};
  }
  created_ = to_rfc3339(epoch_ ? *epoch_ : options.clock());
  targets_ = build_targets(file_, options);
}

BuildRun::~BuildRun() = default;

LayerOptions BuildRun::layer_options() const {
  return {.codec = options_.layer_codec,
          .compress = options_.compress,
          .family = options_.family,
          .clamp_mtime = options_.keep_file_times ? std::nullopt : epoch_,
          .set_mtime = options_.timestamp};
}

std::string BuildRun::layer_key() const {
  return cat(options_.layer_codec, " ", options_.compress.level,
             options_.compress.fastest ? " fastest" : "",
             epoch_ ? cat(" ", epoch_->seconds) : std::string(),
             options_.timestamp         ? " set"
             : options_.keep_file_times ? " kept"
                                        : "");
}

BuildContext& BuildRun::context() {
  const std::scoped_lock lock(mutex_);
  if (context_) return *context_;
  if (options_.context.empty())
    throw Error(Errc::invalid_argument, "the build has no context to copy from");
  DirFd root = with_context([] { return std::string("open the build context"); },
                            [&] { return open_dir(options_.context); });
  struct stat status {};
  if (::fstat(root.get(), &status) != 0) throw_errno("stat the build context");
  digests_dir_ = create_dir(cat(services_.store.path(), "/context-digests"), 0700);
  digests_ = std::make_unique<ContentDigests>(digests_dir_, cat(status.st_dev, "-", status.st_ino));
  const std::string containerfile =
      options_.containerfile_text ? std::string() : read_containerfile(options_).path;
  IgnoreFile ignore = read_ignore_file(options_, containerfile, root);
  context_ = std::make_unique<BuildContext>(std::move(root), std::move(ignore.list),
                                            std::move(ignore.name), digests_.get());
  return *context_;
}

const TempDir& BuildRun::scratch() {
  if (!scratch_) scratch_ = std::make_unique<TempDir>(services_.store.temp_path(), "build-");
  return *scratch_;
}

BuildRun::NetworkFiles BuildRun::network_files(NetworkMode network) {
  const std::scoped_lock lock(mutex_);
  const TempDir& room = scratch();
  const std::string suffix = network == NetworkMode::host ? "host" : "none";
  NetworkFiles out{.hosts = cat(room.path(), "/hosts-", suffix),
                   .resolv_conf = cat(room.path(), "/resolv.conf-", suffix)};
  if (exists(out.resolv_conf)) return out;
  const auto text_of = [](const std::string& path) {
    return exists(path) ? read_file(path, kMaxHostFileBytes) : std::string();
  };
  std::string hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  std::string resolv_conf;
  if (network == NetworkMode::host) {
    const std::string of_host = text_of(options_.hosts_file);
    if (!of_host.empty()) hosts = of_host;
    resolv_conf = text_of(options_.resolv_conf);
  } else {
    resolv_conf = without_loopback_servers(text_of(options_.resolv_conf));
  }
  if (!hosts.ends_with('\n')) hosts += '\n';
  hosts += "127.0.1.1\tlade\n";
  const auto write = [&](const std::string& name, std::string_view text) {
    AtomicFile file(room.dir(), name, 0644);
    file.write(bytes_of(text));
    file.commit();
  };
  write(cat("hosts-", suffix), hosts);
  write(cat("resolv.conf-", suffix), resolv_conf);
  return out;
}

std::string BuildRun::script(const std::string& text) {
  const std::scoped_lock lock(mutex_);
  const TempDir& room = scratch();
  const std::string name = cat("script-", scripts_++);
  AtomicFile file(room.dir(), name, 0755);
  file.write(bytes_of(text));
  file.commit();
  return cat(room.path(), "/", name);
}

void BuildRun::add_material(Material material) {
  const std::scoped_lock lock(mutex_);
  materials_.insert(std::move(material));
}

std::vector<Material> BuildRun::materials() const {
  const std::scoped_lock lock(mutex_);
  return {materials_.begin(), materials_.end()};
}

StepRecords& BuildRun::records() {
  const std::scoped_lock lock(mutex_);
  if (!records_) {
    const auto real = [](const std::string& path) { return real_path(path).value_or(path); };
    const std::string file =
        options_.containerfile_text ? "-" : real(read_containerfile(options_).path);
    records_ = std::make_unique<StepRecords>(
        services_.store, cat(file, "\n", options_.context.empty() ? "" : real(options_.context)));
  }
  return *records_;
}

void BuildRun::count_step(bool cached) noexcept {
  ++steps_;
  if (cached) ++cached_steps_;
}

void BuildRun::finish() noexcept {
  const std::scoped_lock lock(mutex_);
  if (context_) context_->save_digests();
  if (records_) records_->save();
}

}  // namespace lade::build
