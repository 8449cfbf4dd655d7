#include "libimage/runtime/command_runner.h"

#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/stream.h"
#include "libimage/runtime/config_json.h"
#include "libimage/sandbox/hosted_step.h"

namespace lade::runtime {
namespace {

using sandbox::Mount;
using sandbox::RuntimeConfig;

/// The configuration as the runtime gets it: the root and the pieces are mounts of the bundle.
RuntimeConfig for_runtime(RuntimeConfig config, const std::string& bundle) {
  config.root.path = sandbox::kHostedRoot;
  config.root.overlay.reset();
  for (std::size_t i = 0; i < config.mounts.size(); ++i) {
    Mount& mount = config.mounts[i];
    if (!sandbox::is_piece(mount)) continue;
    Mount bind{.destination = mount.destination,
               .type = "bind",
               .source = cat(bundle, "/", sandbox::kHostedPieces, "/", i),
               .options = {"rbind", "rprivate"}};
    for (const std::string& option : mount.options) {
      if (option == "ro" || option == "nosuid" || option == "nodev" || option == "noexec")
        bind.options.push_back(option);
    }
    mount = std::move(bind);
  }
  return config;
}

void make_directory(const DirFd& bundle, const char* name) {
  if (::mkdirat(bundle.get(), name, 0700) != 0) throw_errno(cat("create ", quoted(name)));
}

class CommandRunner final : public sandbox::StepRunner {
 public:
  explicit CommandRunner(CommandRunnerOptions options) : options_(std::move(options)) {}

  sandbox::StepStatus run(const RuntimeConfig& step, const sandbox::StepCall& call,
                          const std::stop_token& stop) override {
    const TempDir bundle(options_.scratch, "bundle-");
    for (const char* name : {sandbox::kHostedRoot, sandbox::kHostedPieces, sandbox::kHostedState})
      make_directory(bundle.dir(), name);
    const std::string config = serialise(for_runtime(step, bundle.path()));
    const UniqueFd file =
        open_entry(bundle.dir(), "config.json", O_CREAT | O_EXCL | O_WRONLY, 0600);
    FdSink(file.get(), "config.json").write(bytes_of(config));
    const sandbox::Hosting hosting{.program = options_.program,
                                   .flags = options_.flags,
                                   .bundle = bundle.path(),
                                   .id = cat("lade-", ::getpid(), "-", random_name(8))};
    return sandbox::run_hosted(step, hosting, call, stop);
  }

 private:
  const CommandRunnerOptions options_;
};

}  // namespace

std::unique_ptr<sandbox::StepRunner> command_runner(CommandRunnerOptions options) {
  return std::make_unique<CommandRunner>(std::move(options));
}

}  // namespace lade::runtime
