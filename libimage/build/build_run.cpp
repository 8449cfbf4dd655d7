#include "libimage/build/build_run.h"

#include <algorithm>
#include <thread>

#include <fcntl.h>

#include "libimage/base/text.h"
#include "libimage/build/globals.h"
#include "libimage/compress/codec.h"
#include "libimage/io/atomic_file.h"
#include "libimage/name/platform.h"

namespace lade::build {
namespace {

constexpr std::uint64_t kMaxHostFileBytes = std::uint64_t{1} << 20U;

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
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

std::string text_of(const std::string& path) {
  return exists(path) ? read_file(path, kMaxHostFileBytes) : std::string();
}

std::string hosts_text(const BuildOptions& options, const RunOptions& run, NetworkMode network) {
  std::string out;
  if (network == NetworkMode::host) out = text_of(options.hosts_file);
  if (out.empty()) out = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  if (!out.ends_with('\n')) out += '\n';
  // The first line of a name counts.
  std::string given;
  for (const auto& [name, address] : run.hosts) given += cat(address, "\t", name, "\n");
  return cat(given, out, "127.0.1.1\tlade\n");
}

std::string resolv_conf_text(const BuildOptions& options, const RunOptions& given,
                             NetworkMode network) {
  std::string out = text_of(options.resolv_conf);
  if (network != NetworkMode::host) out = without_loopback_servers(out);
  const auto replaced = [&](std::string_view keyword, const std::string& lines) {
    std::string kept;
    for (const std::string_view line : split(out, '\n')) {
      const std::string_view word = trimmed(line).substr(0, trimmed(line).find_first_of(" \t"));
      const bool same = word == keyword || (keyword == "search" && word == "domain");
      if (!same && !line.empty()) kept.append(line).push_back('\n');
    }
    out = cat(kept, lines);
  };
  const auto joined = [](const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += cat(" ", word);
    return text;
  };
  if (!given.dns.empty()) {
    std::string servers;
    for (const std::string& server : given.dns) servers += cat("nameserver ", server, "\n");
    replaced("nameserver", servers);
  }
  if (!given.dns_search.empty()) {
    const bool none = given.dns_search.size() == 1 && given.dns_search.front() == ".";
    replaced("search", none ? std::string() : cat("search", joined(given.dns_search), "\n"));
  }
  if (!given.dns_options.empty())
    replaced("options", cat("options", joined(given.dns_options), "\n"));
  return out;
}

}  // namespace

BuildRun::BuildRun(const BuildOptions& options, const BuildServices& services, Contexts& contexts,
                   Containerfile file)
    : options_(options),
      services_(services),
      contexts_(contexts),
      file_(std::move(file)),
      epoch_(options.timestamp ? options.timestamp : options.source_date_epoch),
      jobs_(options.jobs != 0 ? options.jobs : std::max(1U, std::thread::hardware_concurrency())),
      network_(options.network) {
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
  return cat(options_.layer_codec, " ", codec_named(options_.layer_codec).revision, " ",
             options_.compress.level, options_.compress.fastest ? " fastest" : "",
             epoch_ ? cat(" ", epoch_->seconds) : std::string(),
             options_.timestamp         ? " set"
             : options_.keep_file_times ? " kept"
                                        : "");
}

const TempDir& BuildRun::scratch() {
  if (!scratch_) scratch_ = std::make_unique<TempDir>(services_.store.temp_path(), "build-");
  return *scratch_;
}

/// The options as they are in this network: host-gateway is an address of it, and the helper that
/// connects it is its name server.
RunOptions BuildRun::network_words(NetworkMode network) {
  RunOptions out = options_.run;
  const auto of_build = network == options_.network.kind;
  std::erase_if(out.hosts, [&](auto& host) {
    if (host.second != "host-gateway") return false;
    if (network == NetworkMode::host) host.second = "127.0.0.1";
    if (of_build) host.second = network_.gateway();
    if (of_build && host.second.empty())
      throw Error(Errc::invalid_argument,
                  cat("--add-host ", host.first, ":host-gateway: from this network (",
                      sandbox::name_of(network), ") no way leads to the host"));
    return host.second == "host-gateway";  // a RUN --network=none of a build that has one
  });
  if (of_build && out.dns.empty()) {
    std::string server = network_.name_server();
    if (!server.empty()) out.dns.push_back(std::move(server));
  }
  return out;
}

BuildRun::NetworkFiles BuildRun::network_files(NetworkMode network) {
  const RunOptions words = network_words(network);
  const std::scoped_lock lock(mutex_);
  const TempDir& room = scratch();
  const bool no_resolv_conf = words.dns.size() == 1 && words.dns.front() == "none";
  const std::string_view suffix = sandbox::name_of(network);
  NetworkFiles out{.hosts = cat(room.path(), "/hosts-", suffix),
                   .resolv_conf = cat(room.path(), "/resolv.conf-", suffix)};
  const auto write = [&](const std::string& name, std::string_view text) {
    AtomicFile file(room.dir(), name, 0644);
    file.write(bytes_of(text));
    file.commit();
  };
  if (!exists(out.hosts)) {
    write(cat("resolv.conf-", suffix), resolv_conf_text(options_, words, network));
    write(cat("hosts-", suffix), hosts_text(options_, words, network));
  }
  if (no_resolv_conf) out.resolv_conf.clear();
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
        contexts_.containerfile_path().empty() ? "-" : real(contexts_.containerfile_path());
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
  contexts_.save_digests();
  const std::scoped_lock lock(mutex_);
  if (records_) records_->save();
}

}  // namespace lade::build
