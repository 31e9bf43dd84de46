if __name__ != "riparian.scheduler":
    raise ImportError("import riparian.scheduler, not the folder scheduler/")
