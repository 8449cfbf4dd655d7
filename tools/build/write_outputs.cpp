#include "tools/build/write_outputs.h"

#include <algorithm>
#include <filesystem>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/assemble.h"
#include "libimage/build/export_tree.h"
#include "libimage/build/first_difference.h"
#include "libimage/copy/copy.h"
#include "libimage/io/path.h"
#include "libimage/name/reference.h"
#include "libimage/oci/json_text.h"
#include "libimage/task/run_graph.h"

#include "tools/common/output_file.h"

namespace lade::tools {
namespace {

using Type = OutputSpec::Type;

bool is_attested(const build::BuildResult& result) {
  return std::any_of(result.images.begin(), result.images.end(),
                     [](const build::BuiltImage& image) { return !image.attestations.empty(); });
}

std::string full_pushed_name(const std::string& name) {
  const std::size_t slash = name.find('/');
  const std::string first = slash == std::string::npos ? "" : name.substr(0, slash);
  if (first != "localhost" && first.find_first_of(".:") == std::string::npos)
    throw UsageError(cat("name ", lade::quoted(name),
                         " has no registry to push to: docker.io/NAME, or another HOST/NAME"));
  return build::full_image_name(name);
}

/// As Docker spells it: what names no registry is of docker.io, not of this program's store.
std::string docker_name(const std::string& name) {
  Reference reference = Reference::parse(name);
  if (!reference.tag) reference.tag = Tag{"latest"};
  return reference.str();
}

class Writing {
 public:
  Writing(const OutputSpec& spec, const OutputContext& context) : spec_(spec), context_(context) {}

  void run() {
    switch (spec_.type) {
      case Type::cacheonly:
        return;
      case Type::local:
        build::export_directory(store(), context_.result, spec_.dest, export_options(),
                                context_.stop);
        return;
      case Type::tar:
        return write_tar();
      case Type::transport:
        return copy_to(spec_.dest, std::nullopt);
      case Type::oci:
        return write_oci();
      case Type::dir:
        return copy_to(cat("dir:", spec_.dest), std::nullopt);
      case Type::docker:
        return write_docker();
      case Type::image:
        write_names();
        if (spec_.push) push();
        return;
      case Type::registry:
        return push();
    }
  }

 private:
  LocalStore& store() { return context_.stores.local(); }

  [[nodiscard]] std::vector<std::string> names() const {
    return spec_.names.empty() ? context_.options.names : spec_.names;
  }
  [[nodiscard]] build::ExportOptions export_options() const {
    return {.platform_split = spec_.platform_split, .attestation_prefix = spec_.attestation_prefix};
  }

  /// Those of the build are there already, unless this output has a document of its own.
  void write_names() {
    const oci::Descriptor document = root();
    for (const std::string& name : names())
      store().images().tag(Tag{build::full_image_name(name)}, document);
    if (names().empty()) store().images().tag(Tag{}, document);
  }

  void write_tar() {
    OutputFile file(spec_.dest);
    build::export_tar(store(), context_.result, file, export_options());
    file.commit();
  }

  /// The document to write: the build's, or one with what this output has of its own.
  oci::Descriptor root() {
    const bool renamed = !spec_.names.empty() && is_attested(context_.result);
    if (spec_.annotations.empty() && !spec_.form && !renamed)
      return context_.result.root().descriptor;
    const build::ResultOptions& options = context_.options.result;
    build::AssembleOptions assembling{.annotations = options.annotations,
                                      .family = context_.options.family,
                                      .form = spec_.form.value_or(options.attestation_form)};
    for (const std::string& name : names())
      assembling.names.push_back(build::full_image_name(name));
    assembling.annotations.insert(assembling.annotations.end(), spec_.annotations.begin(),
                                  spec_.annotations.end());
    if (options.created_annotation)
      assembling.annotations.push_back({.key = "org.opencontainers.image.created",
                                        .value = context_.result.images.front().config.created});
    return build::assemble(store().images(), context_.result.images, assembling).root().descriptor;
  }

  [[nodiscard]] CopyOptions copy_options() const {
    CopyOptions options{.what = CopyOptions::What::all,
                        .family = spec_.family,
                        .layer_codec = spec_.codec,
                        .compress = spec_.compress,
                        .force_recompress = spec_.force_compression};
    if (spec_.codec.empty() || spec_.force_compression) return options;
    for (const build::BuiltImage& image : context_.result.images) {
      for (std::size_t i = 0; i < image.base_layers; ++i)
        options.kept_layers.insert(image.root.layers()[i].blob.digest);
    }
    return options;
  }

  /// Places for single images get the image alone.
  oci::Descriptor root_for(const Writer::Accepts& accepts) {
    if (accepts.indexes || context_.result.images.size() > 1) return root();
    if (context_.result.index)
      context_.progress.notify(
          {.kind = ProgressEvent::Kind::warning,
           .note = cat(printable(spec_.text), " holds no index: attestations are left out")});
    return context_.result.images.front().manifest.descriptor;
  }

  /// `tags` instead of the one in `name`.
  void copy_to(const std::string& name, const std::optional<std::vector<Tag>>& tags) {
    OpenedDestination destination = open_destination(name, context_.session, context_.stores);
    std::vector<Tag> all;
    if (tags) {
      all = *tags;
    } else if (destination.tag) {
      all = {*destination.tag};
    } else {
      throw Error(Errc::invalid_argument, "an image is written under a tag, not under a digest");
    }
    const Writer::Accepts accepts = destination.writer->accepts();
    const oci::Descriptor from = root_for(accepts);
    const CopyOptions options = copy_options();
    const CopyPlan plan = plan_copy(store().images(), from, accepts, options);
    if (is_attested(context_.result) && accepts.indexes && !plan.changed.empty())
      throw Error(Errc::unsupported,
                  "the image would get another digest there than the attestations speak of: build "
                  "its layers in that form (--compression-format), or without attestations");
    run_copy(plan, store().images(), *destination.writer, all, options, context_.progress,
             context_.stop);
    destination.writer->finish();
  }

  void write_oci() {
    const std::vector<std::string> all = names();
    std::string reference;
    if (!all.empty()) {
      const auto parsed = Reference::parse(build::full_image_name(all.front()));
      reference = cat(":", parsed.tag->value);  // as BuildKit names it there
    }
    copy_to(cat(spec_.archive ? "oci-archive:" : "oci:", spec_.dest, reference), std::nullopt);
  }

  void write_docker() {
    std::vector<Tag> tags;
    for (const std::string& name : names()) tags.push_back(Tag{docker_name(name)});
    if (spec_.dest.empty()) {
      for (const Tag& tag : tags) copy_to(cat("docker-daemon:", tag.value), std::nullopt);
      return;
    }
    const std::string first = tags.empty() ? "" : cat(":", tags.front().value);
    const std::optional<std::vector<Tag>> given = tags.empty() ? std::nullopt : std::optional(tags);
    if (spec_.dest == "-" || !std::filesystem::is_regular_file(spec_.dest)) {
      copy_to(cat("docker-archive:", spec_.dest, first), given);
      return;
    }
    // The old file is there until the new one is whole.
    const std::string fresh = cat(spec_.dest, ".", random_name(8));
    try {
      copy_to(cat("docker-archive:", fresh, first), given);
      std::filesystem::rename(fresh, spec_.dest);
    } catch (...) {
      std::error_code ignored;
      std::filesystem::remove(fresh, ignored);
      throw;
    }
  }

  void push() {
    for (const std::string& name : names()) {
      const std::string full = full_pushed_name(name);
      const auto tags = spec_.push_by_digest ? std::optional(std::vector<Tag>{}) : std::nullopt;
      with_context([&] { return cat("push ", printable(full)); },
                   [&] { copy_to(cat("docker://", full), tags); });
    }
  }

  const OutputSpec& spec_;
  const OutputContext& context_;
};

/// One member of a JSON object; `value` is JSON.
struct Member {
  std::string name, value;
};

std::string json_object(const std::vector<Member>& members) {
  std::string text = "{";
  for (const Member& member : members)
    text += cat(text.size() > 1 ? "," : "", oci::json_string(member.name), ":", member.value);
  return oci::pretty_json(text + "}") + "\n";
}

/// The keys of BuildKit and buildx that mean something here.
std::string metadata_of(const build::BuildResult& result) {
  std::vector<Member> members;
  for (const build::BuiltImage& image : result.images) {
    for (const build::Attestation& attestation : image.attestations) {
      if (attestation.predicate_type != build::kProvenanceType) continue;
      std::string name = "buildx.build.provenance";
      if (result.images.size() > 1) name += cat("/", oci::to_string(image.platform));
      members.push_back({name, attestation.predicate});
    }
  }
  if (result.images.size() == 1) {
    const auto& manifest = std::get<oci::Manifest>(result.images.front().manifest.parsed);
    members.push_back(
        {"containerimage.config.digest", oci::json_string(manifest.config.digest.str())});
  }
  const oci::Descriptor& root = result.root().descriptor;
  members.push_back({"containerimage.descriptor", oci::serialise(root)});
  members.push_back({"containerimage.digest", oci::json_string(root.digest.str())});
  std::string names;
  for (const std::string& name : result.names) names += cat(names.empty() ? "" : ",", name);
  if (!names.empty()) members.push_back({"image.name", oci::json_string(names)});
  return json_object(members);
}

}  // namespace

void check_outputs(const std::vector<OutputSpec>& outputs, const build::BuildOptions& options) {
  std::size_t streams = 0;
  for (const OutputSpec& output : outputs) {
    const std::vector<std::string>& names = output.names.empty() ? options.names : output.names;
    const bool pushed = output.type == Type::registry || output.push;
    const bool loaded = output.type == Type::docker && output.dest.empty();
    if (output.dest == "-" || output.dest.ends_with(":-")) ++streams;
    if ((pushed || loaded) && names.empty())
      throw UsageError(cat("output ", lade::quoted(output.text), " needs a name: -t, or name="));
    if (pushed) {
      for (const std::string& name : names) (void)full_pushed_name(name);
    }
    for (const std::string& name : output.names) (void)build::full_image_name(name);
    const bool attested = options.result.provenance || options.result.sbom;
    if (attested && output.family == oci::Family::docker)
      throw UsageError(
          cat("output ", lade::quoted(output.text), ": attestations need oci-mediatypes=true"));
    if (output.form && !attested)
      throw UsageError(cat("output ", lade::quoted(output.text),
                           ": oci-artifact needs attestations (--provenance, --sbom)"));
    const bool file = output.type == Type::tar || output.type == Type::docker ||
                      (output.type == Type::oci && output.archive);
    if (file && !output.dest.empty()) check_writable(output.dest);
  }
  if (streams > 1) throw UsageError("only one output can go to standard output");
}

void write_outputs(const std::vector<OutputSpec>& outputs, const OutputContext& context) {
  constexpr unsigned kAtOnce = 4;
  std::vector<GraphNode> nodes;
  for (const OutputSpec& output : outputs) {
    nodes.push_back({[&](const std::stop_token& stop) {
      OutputContext own = context;
      own.stop = stop;
      with_context([&] { return cat("write ", printable(output.text)); },
                   [&] { Writing(output, own).run(); });
    }});
    // Names are given in the order of the options.
    const std::size_t index = nodes.size() - 1;
    if (index > 0 && (output.type == Type::image || output.type == Type::cacheonly))
      nodes.back().needs.push_back(index - 1);
  }
  run_graph(nodes, kAtOnce, context.stop);
}

void write_result_files(const Arguments& arguments, const build::BuildResult& result) {
  const oci::Descriptor& root = result.root().descriptor;
  // The image ID; of several images the index's digest, as docker.
  const Digest id =
      result.images.size() == 1
          ? std::get<oci::Manifest>(result.images.front().manifest.parsed).config.digest
          : root.digest;
  if (const auto file = arguments.value("iidfile")) write_text_file(*file, id.str());
  if (const auto file = arguments.value("iidfile-raw")) write_text_file(*file, id.encoded());
  if (const auto file = arguments.value("digestfile")) write_text_file(*file, root.digest.str());
  if (const auto file = arguments.value("metadata-file"))
    write_text_file(*file, metadata_of(result));
}

void verify_reproducible(const build::BuildOptions& options, const build::BuildServices& services,
                         const build::BuildResult& result, const std::stop_token& stop) {
  const TempDir room(services.store.temp_path(), "verify-");
  LocalStore second_store(cat(room.path(), "/store"));
  build::BuildOptions second = options;
  second.no_cache = true;
  second.result.keep = false;
  const build::BuildServices others{.store = second_store,
                                    .runner = services.runner,
                                    .resolve = services.resolve,
                                    .observer = services.observer};
  const build::BuildResult again = with_context([] { return std::string("second build"); },
                                                [&] { return build::build(second, others, stop); });
  if (const auto difference =
          build::first_difference(services.store.images(), result, second_store.images(), again))
    throw Error(Errc::digest_mismatch, cat("not reproducible: ", *difference));
}

}  // namespace lade::tools
