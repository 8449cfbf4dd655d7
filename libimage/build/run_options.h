/// What a build says of all its RUN steps.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libimage/build/step_key.h"
#include "libimage/sandbox/runtime_config.h"
#include "libimage/sandbox/step_edits.h"

namespace lade::build {

/// A directory or file of this machine that every RUN sees (--volume).
struct RunVolume {
  std::string source = {};  ///< absolute
  std::string target = {};  ///< absolute
  bool readonly = false;
};

struct RunOptions {
  std::vector<std::pair<std::string, std::string>> hosts = {};  ///< name and address, --add-host;
                                                                ///< "host-gateway": the network's
  std::vector<std::string> dns = {};  ///< name servers instead of this machine's; "none" alone: no
                                      ///< /etc/resolv.conf is made
  std::vector<std::string> dns_search = {}, dns_options = {};
  std::vector<sandbox::Rlimit> limits = {};
  std::optional<std::uint64_t> shm_bytes = {};  ///< size of /dev/shm
  std::set<std::string> add_capabilities = {};  ///< "CAP_NET_ADMIN"
  std::set<std::string> drop_capabilities = {};
  bool no_new_privileges = false;
  std::string seccomp = {};  ///< "unconfined", or a profile's text (JSON); "": the default
  std::vector<std::string> mask = {};    ///< further paths that nobody sees
  std::vector<std::string> unmask = {};  ///< paths that are neither masked nor read-only; "ALL"
  std::vector<RunVolume> volumes = {};
  sandbox::MemoryLimits memory = {};
  sandbox::CpuLimits cpu = {};
  std::vector<sandbox::StepEdits> devices = {};  ///< of every RUN (--device)
  std::vector<std::string> device_words = {};    ///< as they were given, for the key
  /// What RUN --device=NAME needs; nullopt: there is no such device.
  std::function<std::optional<sandbox::StepEdits>(const std::string& name)> find_device = {};
  std::set<std::string> allow_devices = {};  ///< names that RUN --device may use; "*": all
  bool allow_insecure = false;               ///< RUN --security=insecure may be used
  bool allow_host_network = false;  ///< RUN --network=host may be used where the build's is another
  std::string cgroup_parent = {};   ///< clean path from the hierarchies' roots; "": our own group
};

/// RUN --security.
enum class Security {
  sandbox,
  insecure,  ///< every capability, no filter of system calls, nothing masked or read-only
};

/// Puts the options into a step.
void apply_run_options(const RunOptions& options, Security security, sandbox::RuntimeConfig& step);

/// What of them decides a step's result, by name, for its key and for explanations; not the limits
/// of resources, addresses of hosts and name servers (as BuildKit).
std::vector<StepInput> inputs_of_run_options(const RunOptions& options);

/// True for an IPv4 or IPv6 address as hosts(5) has it.
bool is_ip_address(const std::string& text);

}  // namespace lade::build
