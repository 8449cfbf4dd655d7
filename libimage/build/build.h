/// Builds an image from a Containerfile.
///
/// text > lines (lexer.h) > instructions by table (containerfile.h, instructions.h) > the stages
/// that the target needs (stage_graph.h), in parallel > for each instruction: expand, key, look up;
/// on a miss execute > config, manifest, names in the local store. What is cached touches no
/// container and writes nothing (docs/design/0007-build-cache.md).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/base/progress.h"
#include "libimage/base/timestamp.h"
#include "libimage/build/attestation.h"
#include "libimage/build/remote_file.h"
#include "libimage/build/result_options.h"
#include "libimage/build/run_options.h"
#include "libimage/buildcache/step_cache.h"
#include "libimage/compress/codec.h"
#include "libimage/container/root_fs.h"
#include "libimage/local/local_store.h"
#include "libimage/oci/image_config.h"
#include "libimage/sandbox/network.h"
#include "libimage/sandbox/step_runner.h"
#include "libimage/store/store.h"

namespace lade::build {

using NetworkMode = sandbox::NetworkKind;

/// Where a secret's content is.
struct SecretSource {
  std::string file = {};   ///< path of this machine, or
  std::string value = {};  ///< the content itself, printed nowhere
};

/// Whether the observer is told why each step was cached or executed, as lines or as JSON.
enum class Explain { none, text, json };

struct BuildOptions {
  std::string context = {};  ///< see context_source.h; "" if the build has none
  std::map<std::string, std::string> contexts = {};  ///< further ones by name (--build-context)
  std::function<std::unique_ptr<Source>()> standard_input = {};  ///< for the context "-"
  std::string containerfile = {};  ///< path; "": Containerfile, then Dockerfile, in the context
  std::vector<std::string> containerfiles_behind = {};  ///< read after it, as one text
  std::vector<std::string> cpp_flags = {};  ///< for those called *.in, which go through cpp
  std::optional<std::string> containerfile_text = {};  ///< instead of a file (standard input)
  std::string ignore_file = {};                        ///< path; "": by the rules
  std::vector<std::string> names = {};  ///< as users type them: "app", "localhost/app:1"
  std::string target = {};              ///< stage name or number; "": the last
  std::map<std::string, std::string> build_args = {};
  std::map<std::string, std::string> labels = {};    ///< put on the final image
  std::vector<oci::Platform> platforms = {};         ///< one image for each; none: the host's
  std::map<std::string, SecretSource> secrets = {};  ///< by id, for RUN --mount=type=secret
  std::map<std::string, std::string> agents = {};    ///< id to socket, for RUN --mount=type=ssh
  /// What programs of the system get (git): PATH and the proxies.
  std::map<std::string, std::string> program_environment = {};
  RunOptions run = {};
  std::vector<std::pair<std::string, std::string>> env = {};  ///< set when the last stage begins
  std::vector<std::string> unset_env = {};                    ///< that the image does not keep
  bool extensions = false;  ///< the Containerfile may use what only this program understands
  std::uint64_t max_download_bytes = std::uint64_t{64} << 30U;  ///< of one ADD: no server sends on
  bool no_cache = false;                           ///< steps run again; results are still stored
  std::optional<Timestamp> cache_not_before = {};  ///< results stored earlier are not used
  Explain explain = Explain::none;
  std::optional<Timestamp> source_date_epoch = {};
  /// Instead of the epoch: the time of everything that the build makes, of every file in its layers
  /// too (buildah's --timestamp).
  std::optional<Timestamp> timestamp = {};
  bool keep_file_times = false;         ///< the epoch does not change the times of files in layers
  sandbox::NetworkChoice network = {};  ///< of RUN; one namespace for the whole build
  oci::Family family = oci::Family::oci;
  std::string layer_codec = "gzip";
  CompressOptions compress = {};
  unsigned jobs = 0;  ///< steps at once, and threads that read files; 0: one for each CPU
  std::string hosts_file = "/etc/hosts";
  std::string resolv_conf = "/etc/resolv.conf";
  std::string binfmt_dir = "/proc/sys/fs/binfmt_misc";  ///< what runs foreign programs
  ResultOptions result = {};
  Clock clock = system_now;
};

/// A base image, found: where it is and what it is called.
struct ResolvedBase {
  std::shared_ptr<Reader> reader;
  oci::Descriptor root;  ///< manifest or index
};

/// Finds the image `name` of a FROM or COPY --from (any transport's name, a name of the local
/// store, a registry reference). Throws Error{not_found} and what transports throw. Called from
/// several threads, once for each name.
using BaseResolver =
    std::function<ResolvedBase(const std::string& name, const oci::Platform& platform)>;

struct BuildServices {
  LocalStore& store;
  sandbox::StepRunner& runner;
  BaseResolver resolve;
  ProgressObserver& observer;
  FetchUrl fetch = {};  ///< empty: http URLs are Error{unsupported}
  /// Asked for what the store does not know, and told every step; nullptr: none.
  buildcache::StepCache* cache = nullptr;
};

/// What was built for one platform.
struct BuiltImage {
  oci::Platform platform;  ///< the one that was asked for
  oci::Document manifest;
  oci::ImageConfig config;
  RootFs root;                                 ///< its tree, and its layers
  std::size_t base_layers = 0;                 ///< how many of them are the base image's
  std::vector<Attestation> attestations = {};  ///< attached to it in the index
  oci::Annotations annotations = {};           ///< inherited from the base image
};

struct BuildResult {
  std::vector<BuiltImage> images = {};      ///< one for each platform, in the order asked for
  std::optional<oci::Document> index = {};  ///< over them, if there are several, or attestations
  std::vector<std::string> names = {};      ///< full names of root()
  std::uint64_t steps = 0;                  ///< executed and cached together
  std::uint64_t cached_steps = 0;

  /// What the names point to: the index, or the one image's manifest.
  [[nodiscard]] const oci::Document& root() const {
    return index ? *index : images.front().manifest;
  }
};

/// Builds, stores the image in services.store.images() under the names (or without one) and returns
/// it. Errors are "Containerfile:LINE: INSTRUCTION: cause" with a marked excerpt; a RUN that fails
/// is Error{command_failed} with ExitDetail.
BuildResult build(const BuildOptions& options, const BuildServices& services,
                  const std::stop_token& stop);

/// The full name of what users give as -t: "app" is "localhost/app:latest". Throws
/// Error{invalid_argument}.
std::string full_image_name(const std::string& name);

}  // namespace lade::build
