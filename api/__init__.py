if __name__ != "riparian.api":
    raise ImportError("import riparian.api, not the folder api/")
