#include "libimage/build/build_run.h"

#include <algorithm>
#include <thread>

#include <fcntl.h>

#include "libimage/base/text.h"
#include "libimage/build/globals.h"
#include "libimage/build/network_files.h"
#include "libimage/compress/codec.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"
#include "libimage/name/platform.h"

namespace lade::build {
namespace {}  // namespace

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

BuildRun::NetworkFiles BuildRun::network_files(NetworkMode network) {
  const bool of_build = network == options_.network.kind;
  const RunOptions words = network_words(options_.run, network, of_build ? &network_ : nullptr);
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
  if (!path_exists(out.hosts)) {
    write(cat("resolv.conf-", suffix), resolv_conf_text(words, network, options_.resolv_conf));
    write(cat("hosts-", suffix), hosts_text(words, network, options_.hosts_file, "lade"));
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
