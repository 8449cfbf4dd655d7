/// What skopeo's flags say of places to read and write.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libimage/base/error.h"
#include "libimage/config/policy.h"
#include "libimage/name/image_name.h"
#include "libimage/store/store.h"

#include "tools/common/options.h"
#include "tools/compat/go_flags.h"

namespace lade::tools::compat {

/// The version of skopeo whose command line this is.
inline constexpr std::string_view kSkopeoVersion = "1.22.0";

/// Image not found.
inline constexpr int kNotFoundStatus = 2;

/// What a command works with.
struct Invocation {
  const Flags& flags;
  const Environment& environment;
  std::stop_token stop;
};

/// The session for the flags with this prefix ("", "src-", "dest-"). Throws Fatal.
std::unique_ptr<Session> open_session(const Invocation& invocation, const std::string& prefix,
                                      ProgressObserver* observer);

/// "transport:reference" as skopeo reads it. Throws Fatal with its words.
ImageName parse_name(const std::string& text);

/// The name with its reference in full: "docker://host/repo:latest".
std::string shown_name(const ImageName& name);

/// "host/repo" of a docker:// name.
std::string repository_name(const ImageName& name);

/// An image, found.
struct Source {
  std::unique_ptr<Reader> reader;
  oci::Descriptor root;
};

/// Opens an image to read. Throws Fatal, with kNotFoundStatus if it does not exist; `context` comes
/// first in the message.
Source open_source(const ImageName& name, Session& session, const std::string& context);

/// The platform that --override-os, --override-arch and --override-variant ask for, or the host's.
oci::Platform wanted_platform(const Flags& flags);

/// The policy that --policy, --insecure-policy and the files of the system name. Throws Fatal.
Policy load_policy(const Invocation& invocation);

/// Refuses what the policy, or --require-signed, does not allow. Throws Fatal.
void check_source(const Invocation& invocation, const Policy& policy, const ImageName& name);

/// Runs `body` again after failures that may pass, as --retry-times and --retry-delay say.
void with_retries(const Invocation& invocation, const std::function<void()>& body);

/// As Go says why a file could not be opened: "open PATH: no such file or directory".
std::string open_failure(const std::string& path, const Error& error);

/// Passes warnings of the library on as lines of the log; with --debug also what becomes of blobs.
class WarningLog : public ProgressObserver {
 public:
  void notify(const ProgressEvent& event) noexcept override;
};

}  // namespace lade::tools::compat
