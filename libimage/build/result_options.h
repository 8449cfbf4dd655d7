/// What a build makes of the finished stages: options of BuildOptions::result.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libimage/oci/descriptor.h"

namespace lade::build {

/// An annotation asked for (image-spec v1.1.1, annotations.md), at one of docker's four levels.
struct Annotation {
  enum class Level {
    manifest,             ///< of the image manifests
    index,                ///< of the index over them
    manifest_descriptor,  ///< of the entries of the index; of the layout's entry without an index
    index_descriptor,     ///< of the index's entry in a layout's index.json
  };
  Level level = Level::manifest;
  std::optional<oci::Platform> platform = {};  ///< only that image's; nullopt: all
  std::string key = {};
  std::string value = {};
  bool operator==(const Annotation&) const = default;
};

enum class Squash {
  none,
  new_layers,  ///< the layers that the build made become one
  all,         ///< the base's too
};

/// A provenance attestation (SLSA v1) as BuildKit attaches it.
struct ProvenanceOptions {
  enum class Mode {
    min,  ///< what was built from what
    max,  ///< also the Containerfile's text and the build arguments
  };
  Mode mode = Mode::min;
  std::string builder_id = {};                ///< URI of who vouches for it
  std::string file_name = "provenance.json";  ///< in exported trees
  bool reproducible = false;                  ///< what the user claims
};

/// The form of the manifest that holds the attestations of an image.
enum class AttestationForm {
  artifact,  ///< an artifact with the image as its subject (BuildKit's present form)
  image,     ///< an image with a config for no platform (its older one)
};

struct ResultOptions {
  std::vector<Annotation> annotations = {};
  bool created_annotation = false;  ///< org.opencontainers.image.created on the manifests
  bool inherit_labels = true;       ///< from base images
  /// Manifests start with the annotations of the image that the stage is from, but for these.
  bool inherit_annotations = false;
  std::vector<std::string> remove_annotations = {};
  std::vector<std::string> remove_labels = {};
  bool omit_history = false;
  std::vector<std::string> os_features = {};   ///< added to the config's
  std::optional<std::string> os_version = {};  ///< "" removes it
  Squash squash = Squash::none;
  std::optional<ProvenanceOptions> provenance = {};
  bool sbom = false;  ///< attach an SPDX document of the packages in the root file system
  AttestationForm attestation_form = AttestationForm::artifact;
  /// Whether the local store keeps the result: under its names, or as an entry without one. If not,
  /// its documents and layers are there until they are pruned.
  bool keep = true;
};

}  // namespace lade::build
