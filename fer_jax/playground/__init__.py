"""A local page on which a person spoils a face and sees what each network then says."""
