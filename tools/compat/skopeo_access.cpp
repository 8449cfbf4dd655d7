#include "tools/compat/skopeo_access.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/name/platform.h"
#include "libimage/name/reference.h"
#include "libimage/template/go_text.h"
#include "libimage/transports/transports.h"

#include "tools/common/policy.h"
#include "tools/common/registry_access.h"
#include "tools/compat/go_log.h"

namespace lade::tools::compat {
namespace {

using templates::go_quote;

Credentials parse_creds(const std::string& text) {
  if (text.empty()) throw Fatal("credentials can't be empty");
  const std::size_t colon = text.find(':');
  if (colon == 0) throw Fatal("username can't be empty");
  return {.username = text.substr(0, colon),
          .password = colon == std::string::npos ? std::string() : text.substr(colon + 1)};
}

void check_credentials(const Flags& flags, const std::string& prefix, bool creds) {
  const bool username = flags.given(cat(prefix, "username"));
  const bool password = flags.given(cat(prefix, "password"));
  const bool anonymous = flags.boolean(cat(prefix, "no-creds"));
  if (creds && anonymous) throw Fatal("creds and no-creds cannot be specified at the same time");
  if (username && anonymous)
    throw Fatal("username and no-creds cannot be specified at the same time");
  if (creds && username) throw Fatal("creds and username cannot be specified at the same time");
  if (username && !password) throw Fatal("password must be specified when username is specified");
  if (password && !username) throw Fatal("username must be specified when password is specified");
}

std::optional<Credentials> given_credentials(const Flags& flags, const std::string& prefix) {
  const std::string alias = prefix == "src-"    ? "screds"
                            : prefix == "dest-" ? "dcreds"
                                                : std::string("creds");
  const std::string name = flags.given(alias) ? alias : cat(prefix, "creds");
  check_credentials(flags, prefix, flags.given(name));
  Credentials given;
  if (flags.given(name)) given = parse_creds(flags.text(name));
  if (flags.given(cat(prefix, "username"))) {
    given = {.username = flags.text(cat(prefix, "username")),
             .password = flags.text(cat(prefix, "password"))};
  }
  given.registry_token = flags.text(cat(prefix, "registry-token"));
  if (given.username.empty() && given.registry_token.empty()) return std::nullopt;
  return given;
}

RegistryAccess access_of(const Flags& flags, const std::string& prefix) {
  RegistryAccess access{.auth_file = flags.text(cat(prefix, "authfile")),
                        .cert_dir = flags.text(cat(prefix, "cert-dir")),
                        .registries_conf = flags.text("registries-conf"),
                        .tls_verify = flags.optional_boolean(cat(prefix, "tls-verify")),
                        .credentials = given_credentials(flags, prefix),
                        .anonymous = flags.boolean(cat(prefix, "no-creds"))};
  if (access.auth_file.empty()) access.auth_file = flags.text("authfile");
  if (!access.tls_verify) access.tls_verify = flags.optional_boolean("tls-verify");
  return access;
}

std::string docker_reference(const std::string& text) {
  const auto reference = Reference::try_parse(text);
  if (!reference) throw Fatal("invalid reference format");
  const std::string repository = cat(reference->registry, "/", reference->repository);
  if (reference->digest) return cat(repository, "@", reference->digest->str());
  return cat(repository, ":", reference->tag ? reference->tag->value : "latest");
}

/// What a reader of the transport says of an image that is not there.
Fatal not_found(const ImageName& name, const TagOrDigest& reference, const std::string& context) {
  const std::string shown = to_string(reference);
  if (name.transport == "docker") {
    return Fatal(cat(context, "reading manifest ", shown, " in ", repository_name(name),
                     ": manifest unknown"),
                 kNotFoundStatus);
  }
  if (name.transport == "oci" || name.transport == "oci-archive") {
    return Fatal(cat(context, "no descriptor found for reference ", go_quote(shown)),
                 kNotFoundStatus);
  }
  const int status = name.transport == "containers-storage" ? kNotFoundStatus : 1;
  return Fatal(cat(context, "no image ", go_quote(shown_name(name))), status);
}

bool may_pass(const Error& error) {
  return error.code() == Errc::unavailable || error.code() == Errc::rate_limited;
}

/// Waits, or throws Cancelled.
void pause(std::chrono::nanoseconds delay, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, delay, [] { return false; });
  if (stop.stop_requested()) throw Cancelled();
}

}  // namespace

void WarningLog::notify(const ProgressEvent& event) noexcept {
  if (event.kind == ProgressEvent::Kind::warning) return log(Level::warning, event.note);
  if (!debug_lines_shown()) return;
  try {
    using EventKind = ProgressEvent::Kind;
    const std::string& shown = event.label.empty() ? event.item : event.label;
    const std::string note = event.note.empty() ? "" : cat(": ", event.note);
    if (event.kind == EventKind::started) log(Level::debug, cat(shown, " begins"));
    if (event.kind == EventKind::finished) log(Level::debug, cat(shown, " is done", note));
    if (event.kind == EventKind::failed) log(Level::debug, cat(shown, " failed", note));
  } catch (const std::exception&) {  // no memory for a message
    return;
  }
}

std::string open_failure(const std::string& path, const Error& error) {
  const auto* number = std::get_if<ErrnoDetail>(&error.detail());
  return number == nullptr ? std::string(error.what())
                           : cat("open ", path, ": ", errno_text(number->value));
}

std::unique_ptr<Session> open_session(const Invocation& invocation, const std::string& prefix,
                                      ProgressObserver* observer) {
  const Flags& flags = invocation.flags;
  SessionOptions options =
      session_options(access_of(flags, prefix), invocation.environment, invocation.stop, observer);
  const std::string agent = flags.text("user-agent-prefix");
  options.user_agent = cat(agent, agent.empty() ? "" : " ", "skopeo/", kSkopeoVersion);
  if (const std::string directory = flags.text("tmpdir"); !directory.empty())
    options.temp_root = directory;
  options.shared_blob_dir = flags.text(cat(prefix, "shared-blob-dir"));
  if (const std::string host = flags.text(cat(prefix, "daemon-host")); !host.empty())
    options.daemon_host = host;
  return std::make_unique<Session>(std::move(options));
}

ImageName parse_name(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) {
    throw Fatal(cat("Invalid image name ", go_quote(text),
                    ", expected colon-separated transport:reference"));
  }
  ImageName name{.transport = text.substr(0, colon), .rest = text.substr(colon + 1)};
  const std::vector<std::string> known = transport_names();
  if (std::find(known.begin(), known.end(), name.transport) == known.end()) {
    throw Fatal(cat("Invalid image name ", go_quote(text), ", unknown transport ",
                    go_quote(name.transport)));
  }
  if (name.transport != "docker") return name;
  if (!name.rest.starts_with("//"))
    throw Fatal(cat("docker: image reference ", name.rest, " does not start with //"));
  name.rest.erase(0, 2);
  (void)docker_reference(name.rest);
  return name;
}

std::string shown_name(const ImageName& name) {
  if (name.transport != "docker") return name.str();
  return cat("docker://", docker_reference(name.rest));
}

std::string repository_name(const ImageName& name) {
  const Reference reference = Reference::parse(name.rest);
  return cat(reference.registry, "/", reference.repository);
}

Source open_source(const ImageName& name, Session& session, const std::string& context) {
  try {
    OpenedReader opened = open_reader(name, session);
    const auto root = opened.reader->resolve(opened.reference);
    if (!root) throw not_found(name, opened.reference, context);
    log(Level::debug, cat("Found ", shown_name(name)),
        {{"digest", root->digest.str()}, {"mediaType", root->media_type}});
    return {.reader = std::move(opened.reader), .root = *root};
  } catch (const Error& e) {
    if (may_pass(e)) throw e.in(context.substr(0, context.size() - 2));
    throw Fatal(cat(context, e.what()));
  }
}

oci::Platform wanted_platform(const Flags& flags) {
  oci::Platform platform = host_platform();
  if (flags.given("override-os")) platform.os = flags.text("override-os");
  if (flags.given("override-arch")) {
    platform.architecture = flags.text("override-arch");
    platform.variant.clear();
  }
  if (flags.given("override-variant")) platform.variant = flags.text("override-variant");
  return platform;
}

Policy load_policy(const Invocation& invocation) {
  const Flags& flags = invocation.flags;
  if (flags.boolean("insecure-policy")) {
    log(Level::debug, "No policy is asked: --insecure-policy");
    return {};
  }
  const std::string path = flags.text("policy");
  try {
    if (!path.empty()) return Policy::read(path);
    return system_policy(invocation.environment);
  } catch (const Error& e) {
    throw Fatal(cat("Error loading trust policy: ", open_failure(path, e)));
  }
}

void check_source(const Invocation& invocation, const Policy& policy, const ImageName& name) {
  try {
    check_policy(policy, name, shown_name(name));
  } catch (const Error& e) {
    throw Fatal(cat("Source image rejected: ", e.what()));
  }
  if (invocation.flags.boolean("require-signed")) {
    throw Fatal(cat("Source image rejected: --require-signed demands a signature of image ",
                    shown_name(name), ", and signatures cannot be verified yet"));
  }
  log(Level::debug, cat("The policy accepts ", shown_name(name)));
}

void with_retries(const Invocation& invocation, const std::function<void()>& body) {
  using namespace std::chrono_literals;
  constexpr std::int64_t kMostDoublings = 10;
  const std::int64_t times = invocation.flags.integer("retry-times");
  for (std::int64_t attempt = 0;; ++attempt) {
    try {
      body();
      return;
    } catch (const Error& e) {
      if (attempt >= times || !may_pass(e)) throw;
      std::chrono::nanoseconds delay = invocation.flags.duration("retry-delay");
      if (delay <= 0ns) delay = 1s * (std::int64_t{1} << std::min(attempt, kMostDoublings));
      log(Level::warning, cat("Failed, retrying in ", delay / 1ms, "ms ... (", attempt + 1, "/",
                              times, "). Error: ", e.what()));
      pause(delay, invocation.stop);
    }
  }
}

}  // namespace lade::tools::compat
