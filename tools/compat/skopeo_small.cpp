// skopeo list-tags, delete, login, logout, manifest-digest
#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/oci/document.h"
#include "libimage/oci/schema1.h"
#include "libimage/template/go_text.h"
#include "libimage/template/value.h"
#include "libimage/transports/registry.h"
#include "libimage/transports/transports.h"

#include "tools/common/terminal.h"
#include "tools/compat/skopeo_commands.h"
#include "tools/copy/login.h"

namespace lade::tools::compat {
namespace {

using templates::go_quote;
using templates::Value;
using templates::ValueRecord;

void print_tags(const std::string& repository, const std::vector<std::string>& tags) {
  const Value list = Value::of(ValueRecord{
      .type = "tagListOutput",
      .fields = {{.name = "Repository", .value = Value::of(repository), .omit_empty = true},
                 {.name = "Tags", .value = Value::of(tags)}}});
  print(cat(templates::to_json(list, {.indent = 4, .escape_html = true}), "\n"));
}

void list_repository(const Invocation& invocation, const std::string& text) {
  if (!text.starts_with("docker://"))
    throw Fatal(cat("docker: image reference ", text, " does not start with docker://"));
  const auto reference = Reference::try_parse(text.substr(std::string_view("docker://").size()));
  if (!reference) throw Fatal("invalid reference format");
  if (reference->tag || reference->digest) throw Fatal("No tag or digest allowed in reference");
  WarningLog warnings;
  const auto session = open_session(invocation, "", &warnings);
  std::vector<std::string> tags;
  with_retries(invocation, [&] {
    tags.clear();
    visit_tags(reference->registry, reference->repository, *session, {},
               [&](const std::string& tag) {
                 tags.push_back(tag);
                 return true;
               });
  });
  print_tags(cat(reference->registry, "/", reference->repository), tags);
}

/// Names of the images of an archive; those that have none by their place, "@2".
void list_archive(const Invocation& invocation, const std::string& text) {
  WarningLog warnings;
  const auto session = open_session(invocation, "", &warnings);
  const OpenedReader opened = open_reader(parse_name(text), *session);
  print_tags("", opened.reader->tags().value_or(std::vector<std::string>{}));
}

void delete_image(const Invocation& invocation, const ImageName& name) {
  WarningLog warnings;
  const auto session = open_session(invocation, "", &warnings);
  const OpenedReader opened = open_reader(name, *session);
  const auto root = opened.reader->resolve(opened.reference);
  if (!root && name.transport == "docker") {
    throw Fatal(cat("Unable to delete ", shown_name(name).substr(9),
                    ". Image may not exist or is not stored with a v2 Schema in a v2 registry"));
  }
  if (!root)
    throw Fatal(cat("no descriptor found for reference ", go_quote(to_string(opened.reference))),
                kNotFoundStatus);
  const OpenedWriter writer = open_writer(name, *session);
  if (name.transport == "docker") {
    writer.writer->remove(root->digest);  // of a tag too: all tags of the image vanish
  } else {
    writer.writer->remove(opened.reference);
  }
  writer.writer->finish();
}

}  // namespace

void skopeo_list_tags(const Invocation& invocation) {
  const std::vector<std::string>& arguments = invocation.flags.arguments();
  if (arguments.size() != 1)
    throw Fatal("Exactly one non-option argument expected", 1, Fatal::Help::shown);
  const std::string& text = arguments.front();
  const std::size_t colon = text.find(':');
  const std::string transport = text.substr(0, colon);
  const std::vector<std::string> known = transport_names();
  if (colon == std::string::npos || std::find(known.begin(), known.end(), transport) == known.end())
    throw Fatal(cat("Invalid ", go_quote(text), ": does not specify a transport"));
  try {
    if (transport == "docker") return list_repository(invocation, text);
    if (transport == "docker-archive") return list_archive(invocation, text);
  } catch (const Error& e) {
    throw Fatal(cat("Error listing repository tags: ", e.what()));
  }
  throw Fatal(cat("Unsupported transport '", transport,
                  "' for tag listing. Only supported: docker, docker-archive"));
}

void skopeo_delete(const Invocation& invocation) {
  const std::vector<std::string>& arguments = invocation.flags.arguments();
  if (arguments.size() != 1) throw Fatal("Exactly one argument expected", 1, Fatal::Help::shown);
  ImageName name;
  try {
    name = parse_name(arguments.front());
  } catch (const Fatal& e) {
    throw Fatal(cat("Invalid source name ", arguments.front(), ": ", e.what()));
  }
  if (name.transport != "docker" && name.transport != "oci" &&
      name.transport != "containers-storage") {
    throw Fatal(cat("Deleting images not implemented for ", name.transport, ": images"));
  }
  with_retries(invocation, [&] { delete_image(invocation, name); });
}

void skopeo_login(const Invocation& invocation) {
  const Flags& flags = invocation.flags;
  if (flags.arguments().size() > 1) throw Fatal("login accepts only one registry to login to", 1);
  log_in({.registry = flags.arguments().empty() ? std::string() : flags.arguments().front(),
          .username = flags.text("username"),
          .password = flags.text("password"),
          .password_from_input = flags.boolean("password-stdin"),
          .auth_file = flags.text("authfile"),
          .compat_auth_file = flags.text("compat-auth-file"),
          .cert_dir = flags.text("cert-dir"),
          .registries_conf = flags.text("registries-conf"),
          .tls_verify = flags.optional_boolean("tls-verify"),
          .only_tell_username = flags.boolean("get-login"),
          .verbose = flags.boolean("verbose")},
         invocation.environment);
}

void skopeo_logout(const Invocation& invocation) {
  const Flags& flags = invocation.flags;
  if (flags.arguments().size() > 1)
    throw Fatal("logout accepts only one registry to logout from", 1);
  if (flags.boolean("all") && !flags.arguments().empty()) throw Fatal("--all takes no arguments");
  log_out({.registry = flags.arguments().empty() ? std::string() : flags.arguments().front(),
           .all = flags.boolean("all"),
           .auth_file = flags.text("authfile"),
           .compat_auth_file = flags.text("compat-auth-file"),
           .registries_conf = flags.text("registries-conf"),
           .tls_verify = flags.optional_boolean("tls-verify")},
          invocation.environment);
}

void skopeo_manifest_digest(const Invocation& invocation) {
  const std::vector<std::string>& arguments = invocation.flags.arguments();
  if (arguments.size() != 1) throw Fatal("Usage: skopeo manifest-digest manifest");
  const std::string& path = arguments.front();
  std::string raw;
  try {
    raw = read_file(path, oci::kMaxManifestBytes);
  } catch (const Error& e) {
    throw Fatal(cat("Error reading manifest from ", path, ": ", open_failure(path, e)));
  }
  try {
    // The digest of a signed schema 1 manifest names what was signed.
    const bool is_signed = raw.find("\"signatures\"") != std::string::npos;
    print(cat(sha256_of(is_signed ? oci::schema1_payload(raw) : raw).str(), "\n"));
  } catch (const Error& e) {
    throw Fatal(cat("Error computing digest: ", e.what()));
  }
}

}  // namespace lade::tools::compat
