// skopeo copy
#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/copy.h"
#include "libimage/name/platform.h"
#include "libimage/template/go_text.h"
#include "libimage/transports/transports.h"

#include "tools/common/output_file.h"
#include "tools/common/precomputed_writer.h"
#include "tools/common/terminal.h"
#include "tools/compat/go_log.h"
#include "tools/compat/skopeo_commands.h"
#include "tools/compat/skopeo_copy_options.h"
#include "tools/compat/skopeo_lines.h"

namespace lade::tools::compat {
namespace {

using templates::go_quote;

ImageName named(const std::string& text, std::string_view what) {
  try {
    return parse_name(text);
  } catch (const Fatal& e) {
    throw Fatal(cat("Invalid ", what, " name ", text, ": ", e.what()));
  }
}

void refuse_encryption(const Flags& flags) {
  const bool encrypts = flags.given("encryption-key");
  const bool decrypts = flags.given("decryption-key");
  if (encrypts && decrypts)
    throw Fatal("--encryption-key and --decryption-key cannot be specified together");
  if (flags.given("encrypt-layer") && !encrypts)
    throw Fatal("--encrypt-layer can only be used with --encryption-key");
  if (encrypts || decrypts) throw Fatal("encrypting and decrypting layers is not implemented yet");
}

/// Full names of --additional-tag: "docker.io/library/x:1".
std::vector<Tag> additional_tags(const Flags& flags, const ImageName& to) {
  std::vector<Tag> tags;
  for (const std::string& text : flags.texts("additional-tag")) {
    const auto reference = Reference::try_parse(text);
    if (!reference)
      throw Fatal(cat("error parsing additional-tag '", text, "': invalid reference format"));
    if (!reference->tag) throw Fatal(cat("additional-tag '", text, "' must be a tagged reference"));
    tags.push_back({reference->str()});
  }
  if (!tags.empty() && to.transport != "docker-archive")
    throw Fatal("--additional-tag is for docker-archive: destinations");
  return tags;
}

class Copy {
 public:
  Copy(const Invocation& invocation, const Policy& policy, ImageName from, ImageName to)
      : invocation_(invocation),
        policy_(policy),
        from_(std::move(from)),
        to_(std::move(to)),
        options_(copy_options_of(invocation.flags, to_)),
        tags_(additional_tags(invocation.flags, to_)),
        lines_(invocation.flags.boolean("quiet") ? CopyLines::Mode::quiet
                                                 : CopyLines::Mode::shown) {}

  void run() {
    const auto from = open_session(invocation_, "src-", &lines_);
    const auto to = open_session(invocation_, "dest-", &lines_);
    Source source = open_source(from_, *from, cat("initializing source ", shown_name(from_), ": "));
    OpenedWriter opened = open_target(*to);
    check_source(invocation_, policy_, from_);
    std::unique_ptr<Writer> precomputed;
    if (invocation_.flags.boolean("dest-precompute-digests") && to_.transport == "docker")
      precomputed = precomputing(*opened.writer, to->options().temp_root);
    Writer& target = precomputed ? *precomputed : *opened.writer;
    Writer::Accepts accepts = target.accepts();
    if (invocation_.flags.boolean("dest-oci-accept-uncompressed-layers") && to_.transport == "oci")
      accepts.default_layer_codec.clear();
    const CopyPlan plan = make_plan(source, accepts);
    for (const std::string& warning : plan.warnings) log(Level::warning, warning);
    std::vector<Tag> tags = tags_;
    if (const auto* tag = std::get_if<Tag>(&opened.reference)) tags.insert(tags.begin(), *tag);
    lines_.begin(plan);
    const CopyResult result =
        run_copy(plan, *source.reader, target, tags, options_, lines_, invocation_.stop);
    target.finish();
    lines_.finish();
    write_digest(result.root.digest);
  }

 private:
  OpenedWriter open_target(Session& session) const {
    const std::string context = cat("initializing destination ", shown_name(to_), ": ");
    try {
      return open_writer(to_, session);
    } catch (const Error& e) {
      throw Fatal(cat(context, e.what()));
    }
  }

  CopyPlan make_plan(Source& source, const Writer::Accepts& accepts) const {
    const bool single = options_.what == CopyOptions::What::one_platform;
    if (oci::is_index(source.root.media_type) && !single && !accepts.indexes) {
      throw Fatal(cat("copying multiple images: destination transport ", go_quote(to_.transport),
                      " does not support copying multiple images as a group"));
    }
    try {
      return plan_copy(*source.reader, source.root, accepts, options_);
    } catch (const Error& e) {
      const bool index = oci::is_index(source.root.media_type);
      if (e.code() != Errc::not_found || !index ||
          options_.what != CopyOptions::What::one_platform) {
        throw;
      }
      const bool docker = source.root.media_type == oci::kDockerManifestList;
      throw Fatal(cat("choosing an image from manifest list ", shown_name(from_),
                      ": no image found in ", docker ? "manifest list" : "image index",
                      " for architecture ", go_quote(options_.platform.architecture), ", variant ",
                      go_quote(options_.platform.variant), ", OS ",
                      go_quote(options_.platform.os)));
    }
  }

  void write_digest(const Digest& digest) const {
    const std::string file = invocation_.flags.text("digestfile");
    if (file.empty()) return;
    try {
      write_text_file(file, digest.str());
    } catch (const Error& e) {
      throw Fatal(cat("Failed to write digest to file ", go_quote(file), ": ", e.what()));
    }
  }

  const Invocation& invocation_;
  const Policy& policy_;
  ImageName from_;
  ImageName to_;
  CopyOptions options_;
  std::vector<Tag> tags_;
  CopyLines lines_;
};

}  // namespace

void skopeo_copy(const Invocation& invocation) {
  const Flags& flags = invocation.flags;
  if (flags.arguments().size() != 2)
    throw Fatal("Exactly two arguments expected", 1, Fatal::Help::shown);
  warn_of_deprecated_tls(flags, "--src-tls-verify, --dest-tls-verify");
  const Policy policy = load_policy(invocation);
  const ImageName from = named(flags.arguments()[0], "source");
  const ImageName to = named(flags.arguments()[1], "destination");
  refuse_encryption(flags);
  Copy copy(invocation, policy, from, to);
  with_retries(invocation, [&] { copy.run(); });
}

}  // namespace lade::tools::compat
